// The notebooks as `npx lensor run` executes them: every cell runs and has something to see. The tour promises a minute.
// Long ones run here in a short form, the same cells with smaller numbers; as they are, in JupyterLab (test/e2e/notebooks.test.ts).
// (01-reactive has a test of its own, since much of it is what happens after.)

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { codeOf, readNotebook } from "../notebook.ts";

const root = new URL("../../", import.meta.url);
const lensor = fileURLToPath(new URL("kernel/cli/lensor.mjs", root));

interface Form {
  name: string;
  /** What it takes at most, where it promises that. */
  seconds?: number;
  /** Other numbers for the short form, each where it stands once. */
  short?: Record<string, string>;
}

/** For a pass that costs little, whatever it says. */
const FEW_LAYERS = {
  'instruct\\");': 'instruct\\").then((one) => one.student({ layers: 2 }));',
};

const notebooks: Form[] = [
  { name: "00-tour", seconds: 60 },
  { name: "02-tensors" },
  { name: "03-fast", short: { "marks = [64, 512, 1024, 2048]": "marks = [16, 64, 256]" } },
  {
    name: "04-attention",
    short: {
      "slice(0, 1500)": "slice(0, 600)",
      "[1450, 1500], keys: [1450, 1500]": "[550, 600], keys: [550, 600]",
      "[256, 512, 1024, 2048, 4096]": "[64, 256, 512]",
    },
  },
  {
    name: "05-kv-cache",
    short: {
      "ids.slice(0, 3000)": "ids.slice(0, 800)",
      "ids.slice(3000, 3096)": "ids.slice(800, 832)",
      "ratios: [2, 10, 50]": "ratios: [50]",
      "story.slice(0, 6000), needles: 8": "story.slice(0, 1000), needles: 1",
      "records: 16, questions: 16": "records: 4, questions: 2",
    },
  },
  {
    name: "06-data",
    short: { "data/*/00[0-3]*.json": "data/*/000*.json", "data/*.txt": "data/19[0-4]*.txt" },
  },
  {
    name: "07-train",
    short: {
      "layers: 4": "layers: 2",
      "steps: 50": "steps: 20",
      "steps: 300": "steps: 20",
      "steps: 600": "steps: 20",
    },
  },
  {
    name: "08-finetune",
    short: {
      ...FEW_LAYERS,
      "chapters.slice(4)]": "[chapters[4]!.slice(0, 1000)]]",
      "batch: 4, length: 256, lr": "batch: 1, length: 64, lr",
      '"  batch: 4,': '"  batch: 2,',
      '"  length: 256,': '"  length: 64,',
      "steps: 60": "steps: 3",
      "steps: 20": "steps: 1",
      "warmup: 6": "warmup: 1",
      "warmup: 3": "warmup: 0",
    },
  },
  {
    name: "09-align",
    short: {
      ...FEW_LAYERS,
      "steps: 20, batch: 16": "steps: 2, batch: 4",
      "steps: 40, batch: 8": "steps: 1, batch: 4",
      "steps: 20, batch: 8": "steps: 2, batch: 4",
      "steps: 50, batch: 8": "steps: 1, batch: 2",
      "steps: 60, batch: 48": "steps: 2, batch: 8",
      "=> part === 0);": "=> part === 0).slice(0, 18);",
    },
  },
  {
    name: "10-quantize",
    short: {
      ...FEW_LAYERS,
      ".flat().slice(0, 24)": ".flat().slice(0, 1)",
      "pieces[4]!.slice(0, 6)": "pieces[4]!.slice(0, 1).map((piece) => piece.slice(0, 300))",
      "calibrate.slice(0, 4)": "calibrate.slice(0, 1)",
      "down = [4, 3, 2]": "down = [4, 3]",
      "hqq(grid)": "hqq({ ...grid, rounds: 1 })",
      'gguf(\\"Q4_K_M\\")': 'gguf(\\"Q4_0\\")',
      "steps: 12, batch: 4, length: 128": "steps: 1, batch: 1, length: 32",
    },
  },
  {
    name: "11-prune",
    short: {
      'instruct\\");': 'instruct\\").then((one) => one.student({ layers: 3 }));', // one may go
      ".flat().slice(0, 16)": ".flat().slice(0, 1)",
      "pieces[4]!.slice(0, 6)": "pieces[4]!.slice(0, 1).map((piece) => piece.slice(0, 300))",
      "shares = [0.3, 0.5, 0.6]": "shares = [0.5]",
      "steps: 12, batch: 4, length: 128": "steps: 1, batch: 1, length: 32",
      "warmup: 2": "warmup: 0",
      "count: 3": "count: 1",
      "kept = [0.9, 0.75]": "kept = [0.9]",
    },
  },
  {
    name: "12-moe",
    short: {
      "slice(0, 2000)": "slice(0, 300)",
      "value: 6 }": "value: 4 }",
      "steps = 300": "steps = 8",
      "evalEvery: 30": "evalEvery: 4",
      "warmup: 20": "warmup: 1",
      "slice(0, 4000)": "slice(0, 800)",
      "window: 64 }": "window: 16 }",
    },
  },
  {
    name: "14-whole-life",
    short: {
      ...FEW_LAYERS,
      "slice(0, 24)": "slice(0, 1)",
      "slice(0, 1024)": "slice(0, 128)",
      "slice(1024, 1536)": "slice(128, 192)",
      "queries: 1024": "queries: 64",
      "steps: 30, batch: 4, length: 256": "steps: 1, batch: 1, length: 64",
      "decodeSpeed(), energy({ gridIntensity: 300 })":
        "decodeSpeed({ tokens: 4, rounds: 2 }), energy({ gridIntensity: 300, tokens: 4, rounds: 2 })",
    },
  },
  {
    name: "13-merge",
    short: {
      ...FEW_LAYERS,
      "steps: 30, batch: 4, length: 128": "steps: 2, batch: 1, length: 64",
      "sums.slice(200), stories: stories.slice(80, 86)": "sums.slice(218), stories: stories.slice(80, 81)",
      "[0, 0.25, 0.5, 0.75, 1] }, skills: heldOut, refine: 1": "[0.5] }, skills: heldOut, refine: 0",
      "density: 0.5, lambda": "density: 1, lambda",
      "density: 0.5, seed": "density: 1, seed",
    },
  },
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-notebooks-"));
  for (const beside of ["alice.txt"])
    symlinkSync(fileURLToPath(new URL(`notebooks/${beside}`, root)), join(folder, beside));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(notebooks)(
  "$name runs from top to bottom and every cell has something to see",
  { timeout: 120_000 },
  async ({ name, seconds = Number.POSITIVE_INFINITY, short }) => {
    let path = fileURLToPath(new URL(`notebooks/${name}.ipynb`, root));
    const code = codeOf(readNotebook(path));
    if (short) path = shortened(path, name, short);
    const began = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, [lensor, "run", path, "--json"], {
      maxBuffer: 1 << 26,
    });
    const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
    const results = lines.map((line) => JSON.parse(line) as { index: number; status: string; text?: string });
    expect(results.map(({ status }) => status)).toEqual(code.map(() => "ok"));
    expect(results.filter(({ text }) => !text?.trim())).toEqual([]);
    expect((performance.now() - began) / 1000).toBeLessThan(seconds);
  },
);

/** The same notebook with other numbers, in a folder of its own. */
function shortened(path: string, name: string, short: Record<string, string>): string {
  let text = readFileSync(path, "utf8");
  for (const [from, to] of Object.entries(short)) {
    expect(text.split(from).length - 1, `"${from}" stands once in ${name}`).toBe(1);
    text = text.replace(from, to);
  }
  const copy = join(folder, `${name}.ipynb`);
  writeFileSync(copy, text);
  return copy;
}
