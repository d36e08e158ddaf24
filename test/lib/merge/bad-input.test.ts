// What a merge refuses, and what a failure leaves: inputs as they were, and nothing under the name that was to be written.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Model, merge, Tokenizer } from "../../../lib/index.ts";
import { randomModel } from "../model/random-model.ts";
import { loadRandom, SMALL, saved } from "../model/temporary.ts";
import { rejection } from "../problem.ts";
import { mergeModel } from "./merge-models.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-merge-bad-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const hashOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

let a: Awaited<ReturnType<typeof mergeModel>>;
let b: typeof a;
beforeAll(async () => {
  a = await mergeModel("a");
  b = await mergeModel("b");
});

it("models of other shapes, naming the first tensor that differs", async () => {
  const one = await loadRandom();
  const wide = await loadRandom({ feedForward: 64 });
  expect(await rejection(() => merge.slerp(one, wide))).toMatch(
    /different shapes[\s\S]*blk\.0\.ffn_gate\.weight \[51, 40\][\s\S]*\[64, 40\]/,
  );
  const deep = await loadRandom({ layers: 3 });
  expect(await rejection(() => merge.linear(one, deep))).toMatch(
    /different numbers of layers[\s\S]*2[\s\S]*got 3/,
  );
  const head = await loadRandom({ untied: true });
  expect(await rejection(() => merge.linear(one, head))).toMatch(/output\.weight/);
});

it("models of other tokens", async () => {
  const { parts } = a.tokenizer;
  const tokens = [...parts.tokens];
  [tokens[40], tokens[41]] = [tokens[41]!, tokens[40]!];
  const { name: _, architecture, parameters, ropeScaling, ...sizes } = a.config;
  const tokenizer = Tokenizer.fromParts({ ...parts, tokens });
  const other = await Model.fromConfig({ ...sizes, tokenizer, check: false, seed: 1 });
  expect(await rejection(() => merge.linear(a, other))).toMatch(
    /different tokens[\s\S]*as token 40, as in a/,
  );
});

it("options that no method has, values out of range, t beside weights, a base that is missing", async () => {
  const call = (options: object) => rejection(() => merge.linear(a, b, options as never));
  expect(await call({ tt: 1 })).toMatch(/merge\.linear has no option "tt"[\s\S]*normalize/);
  expect(await call({ t: 1.5 })).toMatch(/t is wrong[\s\S]*0 to 1/);
  expect(await call({ t: [] })).toMatch(/t is wrong/);
  expect(await call({ t: "half" })).toMatch(/t is wrong/);
  expect(await call({ dtype: "f8" })).toMatch(/dtype is wrong/);
  expect(await call({ out: "merged.bin" })).toMatch(/folder or a \.gguf/);
  expect(await rejection(() => merge.linear([{ model: a, weight: 0.2 }, b], { t: 0.5 }))).toMatch(
    /say the same/,
  );
  expect(await rejection(() => merge.linear([a, b, a], { t: 0.5 }))).toMatch(/t is for two models/);
  expect(await rejection(() => merge.ties(a, b))).toMatch(/needs a base/);
  expect(await rejection(() => merge.slerp([a]))).toMatch(/merges 1 models[\s\S]*got 0/);
  expect(await rejection(() => merge.dare(a, b, { base: a, density: 2 }))).toMatch(/density is wrong/);
  expect(await rejection(() => merge.linear(a, 3 as never))).toMatch(/merges models[\s\S]*got 3/);
  expect(await rejection(() => merge.passthrough([{ model: a, layers: [2, 9] }]))).toMatch(
    /no layers 2 to 9/,
  );
  expect(await rejection(() => merge.linear(join(folder, "nowhere.gguf"), a))).toMatch(/no file or folder/);
});

const config = (text: string) => rejection(() => merge.yaml(text, { models: { a, b } }));
const plain = "merge_method: linear\nmodels:\n  - model: a\n    parameters: {weight: 1}\n";

it("files with unknown keys, methods and parameters, each by its name", async () => {
  expect(await config(`${plain}densty: 1\n`)).toMatch(/a key "densty" that is not known/);
  expect(await config(`${plain}modules: {}\n`)).toMatch(/"modules"[\s\S]*Write its models or slices/);
  expect(await config("merge_method: linaer\nmodels: [{model: a}]\n")).toMatch(/unknown[\s\S]*linear/);
  expect(await config("models: [{model: a}]\n")).toMatch(/merge_method is missing/);
  expect(await config("merge_method: linear\nmodels: [{model: a, wieght: 1}]\n")).toMatch(/"wieght"/);
  expect(await config("merge_method: linear\nmodels: [{model: a, parameters: {density: 1}}]\n")).toMatch(
    /linear has no parameter "density"[\s\S]*weight, normalize/,
  );
  expect(await config("merge_method: linear\nmodels: [{model: a}]\n")).toMatch(/no weight for token_embd/);
  expect(await config("merge_method: linear\n")).toMatch(/models or slices[\s\S]*neither/);
  expect(await config(`${plain}dtype: int4\n`)).toMatch(/dtype is wrong[\s\S]*bfloat16/);
  expect(await config("merge_method: [linear\n")).toMatch(/no YAML/);
  expect(await config("just text\n")).toMatch(/configuration is wrong/);
});

it("a file whose aliases multiply, and one that is too long", async () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 9; i++) {
    const [name, below] = [i, i - 1].map((n) => String.fromCharCode(97 + n));
    bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${below}`).join(", ")}]`);
  }
  expect(await config(`${bomb.join("\n")}\n`)).toMatch(/no YAML[\s\S]*alias/i);
  expect(await config(`${plain}# ${"x".repeat(1 << 20)}\n`)).toMatch(/too long/);
});

it("a place where an input lies", async () => {
  await a.save(join(folder, "own"), { dtype: "f32" });
  const before = hashOf(join(folder, "own", "model.safetensors"));
  const out = join(folder, "own");
  expect(await rejection(() => merge.linear(out, b, { out }))).toMatch(/holds own, which is merged/);
  const file = saved(randomModel(SMALL).bytes);
  expect(await rejection(() => merge.linear(file, file, { out: file }))).toMatch(/which is merged/);
  expect(hashOf(join(out, "model.safetensors"))).toBe(before);
  expect(readdirSync(out)).toContain("config.json");
});

it.each(["merged", "merged.gguf"])(
  "a disk that fills, for %s: inputs untouched and no part left",
  async (name) => {
    const own = mkdtempSync(join(folder, "full-"));
    const inputs = [5, 6].map((seed) => saved(randomModel({ ...SMALL, seed }).bytes));
    const before = inputs.map(hashOf);
    const root = new URL("../../../", import.meta.url).pathname;
    const script = join(own, "child.ts");
    writeFileSync(
      script,
      `import { merge } from ${JSON.stringify(join(root, "dist/lib/index.js"))};
    const [, , a, b, out] = process.argv;
    await merge.linear(a!, b!, { out: out! }).catch((error) => console.log(error.message));`,
    );
    // Files of at most 20 kB, as a disk that is full refuses them.
    const limited = `trap '' XFSZ; ulimit -f 20; exec "$@"`;
    const register = join(root, "dist/kernel/session/register.js");
    const args = [
      "-c",
      limited,
      "bash",
      process.execPath,
      "--import",
      register,
      script,
      ...inputs,
      join(own, name),
    ];
    const { stdout } = await promisify(execFile)("bash", args);
    expect(stdout).toMatch(/cannot be written: EFBIG/);
    const left = readdirSync(own, { recursive: true }).filter(
      (one) => one !== "child.ts" && one !== "merged",
    );
    expect(left).toEqual([]);
    expect(inputs.map(hashOf)).toEqual(before);
  },
);
