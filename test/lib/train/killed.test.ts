// Checkpoints: a run that is killed goes on to the bits of one that was not, whatever the moment; a file that was cut short or
// changed is passed over for the one before; where there is no room the run ends with what it learnt.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hub, lora } from "../../../lib/index.ts";
import { uniform } from "../../../lib/tensor/random.ts";
import { randomModel } from "../model/random-model.ts";
import { SMALL, saved } from "../model/temporary.ts";

const MOMENTS = process.env.LENSOR_FULL ? 30 : 3;
const register = fileURLToPath(new URL("../../../dist/kernel/session/register.js", import.meta.url));
const child = fileURLToPath(new URL("killed-child.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "lensor-killed-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Answer {
  hash: string;
  state: string;
  marks: { step: number; kind: string; text: string }[];
  rows: number;
}
const answerOf = (stdout: string) => JSON.parse(/^answer (.*)$/m.exec(stdout)![1]!) as Answer;
const checkpoints = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.startsWith("step-"))
    .sort();

/** Runs the child; kills it so long after it began. Its answer, where it was quicker, and how long it took. */
function run(file: string, folder: string, killAfter?: number): Promise<{ answer?: Answer; ms: number }> {
  return new Promise((resolve, reject) => {
    const one = spawn(process.execPath, ["--import", register, child, file, folder]);
    let [out, errors, began] = ["", "", 0];
    one.stderr.on("data", (data) => (errors += data));
    one.stdout.on("data", (data) => {
      out += data;
      if (began || !out.includes("begun")) return;
      began = performance.now();
      if (killAfter !== undefined) setTimeout(() => one.kill("SIGKILL"), killAfter);
    });
    one.on("close", (code, signal) => {
      const ms = performance.now() - began;
      if (signal === "SIGKILL") resolve({ ms });
      else if (code === 0) resolve({ answer: answerOf(out), ms });
      else reject(new Error(errors));
    });
  });
}

describe("a run that is killed", { timeout: 1_200_000 }, () => {
  let file: string;
  let whole: { answer?: Answer; ms: number };
  beforeAll(async () => {
    file = saved(randomModel({ ...SMALL, width: 64, feedForward: 96 }).bytes);
    whole = await run(file, join(root, "whole"));
  }, 120_000);

  it(`goes on to the same bits, at ${MOMENTS} moments`, async () => {
    expect(whole.answer).toMatchObject({ state: "done", rows: 60, marks: [] });
    const shares = uniform(1000, Number(process.env.LENSOR_SEED ?? 1));
    let [kills, tries] = [0, 0];
    for (let chain = 0; kills < MOMENTS; chain++) {
      const folder = join(root, `killed-${chain}`);
      let last: Answer | undefined;
      while (!last) {
        const { answer } = await run(
          file,
          folder,
          kills < MOMENTS ? whole.ms * 0.8 * shares[tries++]! : undefined,
        );
        if (!answer) kills++;
        last = answer;
      }
      expect(last.hash).toBe(whole.answer!.hash);
      expect(last.rows).toBe(60);
      expect(readdirSync(folder).some((name) => name.endsWith(".part"))).toBe(false);
    }
  });

  it("passes over checkpoints that were cut short or changed, and says so", async () => {
    const folder = join(root, "whole");
    const names = checkpoints(folder);
    expect(names).toEqual([expect.stringMatching(/^step-0000005\d/), "step-00000060.safetensors"]);
    truncateSync(join(folder, names[1]!), 4000);
    const cut = (await run(file, folder)).answer!;
    expect(cut.hash).toBe(whole.answer!.hash);
    expect(cut.marks).toMatchObject([{ step: Number(/\d+/.exec(names[0]!)), kind: "resumed" }]);
    expect(cut.marks[0]!.text).toMatch(/passed over.*step-00000060/);
    const path = join(folder, names[1]!);
    const bytes = readFileSync(path);
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(path, bytes);
    const changed = (await run(file, folder)).answer!;
    expect(changed.hash).toBe(whole.answer!.hash);
    expect(changed.marks.at(-1)!.text).toMatch(/hash/);
  });

  it("where there is no room ends with what it learnt and leaves no half-written file", async () => {
    const folder = join(root, "full");
    // Files of at most 20 kB, as a disk that is full refuses them.
    const limited = `trap '' XFSZ; ulimit -f 20; exec "$@"`;
    const args = ["-c", limited, "bash", process.execPath, "--import", register, child, file, folder];
    const answer = answerOf((await promisify(execFile)("bash", args)).stdout);
    expect(answer.state).toBe("stopped");
    expect(answer.rows).toBeGreaterThan(0);
    expect(answer.marks).toMatchObject([
      { kind: "stopped", text: expect.stringMatching(/no checkpoint could be written/) },
    ]);
    expect(readdirSync(folder)).toEqual(["run.json"]);
  });

  it("is not done again once it is over, and refuses to be another", async () => {
    const model = await hub.load(file);
    const folder = join(root, "over");
    const options = { adapter: lora({ rank: 2 }), steps: 6, lr: 0.01, batch: 2, folder };
    const rows = [
      [1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ];
    const first = model.finetune(rows, options);
    const bits = async (run: typeof first) =>
      Promise.all((await run).adapter.parameters().map(async (x) => [...((await x.data()) as Float32Array)]));
    const wanted = await bits(first);
    const again = model.finetune(rows, options);
    expect(await bits(again)).toEqual(wanted);
    expect(again.provenance.seed).toBe(first.provenance.seed);
    expect(again.journal.marks).toMatchObject([{ step: 6, kind: "resumed" }]);
    expect(() => model.finetune(rows, { ...options, lr: 0.02 })).toThrow(/holds another run[\s\S]*lr/);
    expect(() => model.finetune([...rows, [1, 1]], options)).toThrow(/holds another run[\s\S]*data/);
    expect(() => model.finetune(rows, { ...options, folder: join(file, "below") })).toThrow(
      /cannot hold a run/,
    );
  });
});
