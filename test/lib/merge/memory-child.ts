// Writes two models of a size that is asked for, merges them to a folder, and tells by how much the process grew meanwhile.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { merge } from "../../../lib/index.ts";
import { configOf } from "../../../lib/model/architecture.ts";
import { storedTensors } from "../../../lib/model/build.ts";
import { writeFolder } from "../../../lib/model/save.ts";
import { byteParts } from "../../../lib/text/parts.ts";
import { Tokenizer } from "../../../lib/text/tokenizer.ts";

const [, , folder, width, feedForward, layers, method] = process.argv as string[];
const sizes = { width: Number(width), feedForward: Number(feedForward), layers: Number(layers), heads: 8 };
const tokenizer = Tokenizer.fromParts(byteParts());
const config = configOf("memory", { ...sizes, kvHeads: 8, tiedEmbeddings: true }, tokenizer.size);

/** Numbers of f16 between 1/16 and 1/8, with their signs. */
function numbers(count: number, seed: number): Uint8Array {
  const some = new Uint16Array(1 << 16);
  for (let i = 0, state = seed; i < some.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    some[i] = 0x2c00 | ((state >>> 8) & 0x83ff);
  }
  const all = new Uint16Array(count);
  for (let at = 0; at < count; at += some.length)
    all.set(some.subarray(0, Math.min(some.length, count - at)), at);
  return new Uint8Array(all.buffer);
}

const tensors = storedTensors(config, "f16").map((one) => ({
  ...one,
  ...{ type: "F16" as const, bytes: 2 * one.shape.reduce((a, b) => a * b) },
}));
const paths = ["a", "b"].map((name) => join(folder!, name));
for (const [seed, path] of paths.entries())
  await writeFolder(
    path,
    { config, tokenizer },
    "f16",
    tensors.map((tensor, i) => ({
      ...tensor,
      data: async () => numbers(tensor.bytes / 2, 7 * i + seed + 1),
    })),
  );
globalThis.gc?.();
const before = process.memoryUsage().rss;
let most = before;
const watch = setInterval(() => {
  most = Math.max(most, process.memoryUsage().rss);
}, 2);
const began = performance.now();
const out = join(folder!, "out");
if (method === "slerp") await merge.slerp(paths[0]!, paths[1]!, { t: 0.4, out });
else await merge.ties([{ model: paths[1]!, weight: 0.5 }], { base: paths[0]!, density: 0.3, out });
clearInterval(watch);
const seconds = (performance.now() - began) / 1000;
// Of the largest tensor: of both inputs, and the output.
const group = 3 * Math.max(...tensors.map(({ bytes }) => bytes));
const total = 2 * tensors.reduce((sum, { bytes }) => sum + bytes, 0);
await rm(folder!, { recursive: true, force: true });
console.log(JSON.stringify({ grew: most - before, group, total, seconds }));
