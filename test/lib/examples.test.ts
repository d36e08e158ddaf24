// The examples of the documentation for the calls that exist, run as they are written: one notebook, a cell a block,
// through `lensor run`. A later stage adds its own block here when it lands.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { notebookOf } from "../notebook.ts";

const lensor = fileURLToPath(new URL("../../kernel/cli/lensor.mjs", import.meta.url));

/** Cells, each with what its value's text must say (nothing: the cell shows no value we hold it to). */
const cells: [source: string, text?: RegExp][] = [
  [`import { hub, tensor, scope, plot, perplexity } from "lensor";`],
  [
    `const model = await hub.load("smollm2-135m-instruct");   // displays: architecture, parameters, bytes by dtype
model.config; model.bytes; model.tokenizer.encode("Hi").ids; model.tokenizer.decode([12, 7]);`,
  ],
  [`const model = await hub.load("smollm2-135m-instruct");`, /135M|134[.,]5/i],
  [`model.tokenizer.encode("Hi").ids`, /26843|\d+/],
  [`const { logits } = await model.forward([1, 2, 3]);        // tensor [tokens, vocabulary]`],
  [`logits.shape`, /3, 49152/],
  [
    `await perplexity("some text")(model);                     // a metric is a function of a model; text, texts or a dataset`,
    /^\d+\.\d+$/,
  ],
  [
    `const reply = await model.generate("Why is the sky blue?", { maxTokens: 64, temperature: 0 });
reply.text; reply.tokens; reply.logprobs;                 // streams into the cell while it runs`,
    // Without its template this model answers that prompt with its end token, as transformers' greedy does: a list, empty.
    /^\[/,
  ],
  [`(await model.generate("Once upon a time", { maxTokens: 8, temperature: 0 })).logprobs`, /-\d/],
  [`await model.chat([{ role: "user", content: "Hi" }]);`, /\w/],
  [
    `const a = tensor([[1, 2], [3, 4]]);
await a.matmul(a.T).softmax(-1).sum().item();`,
    /^(2|1\.99999\d*|2\.00000\d*)$/,
  ],
  [`await a.data(); a.shape; a.dtype; a.device; a.cast("bf16"); a.plot();`],
  [`scope(() => { /* tensors made here are freed here, those returned live on */ });`],
  [
    `const w = tensor.randn([2, 2], { seed: 1 }).requiresGrad();
const loss = a.matmul(w).pow(2).mean(); loss.backward(); await w.grad!.data();`,
    /^Float32Array\(4\)/,
  ],
  [
    `const trace = await model.trace("The cat sat on the mat because it was tired.");
trace.attention({ layer: 12 }).plot();                    // every head`,
  ],
  [
    `trace.attention({ layer: 12, head: 3 }).plot();           // one map, tokens on the axes; .weights is the tensor [heads, T, T] or [T, T]`,
  ],
  [
    `trace.residual(12); trace.logitLens().plot(); trace.keyMass({ layer: 12 }).plot();   // works at 8k tokens`,
  ],
  [`trace.attention({ layer: 12, head: 3 }).weights.shape`, /11, 11/],
  [
    `import { attentionMatching, h2o, snapKV } from "lensor";
const longText = "The whale rose and the boat turned towards it, and the men rowed on. ".repeat(15);
const question = " The men";
const probes = [" The whale rose and the boat turned towards it."];`,
  ],
  [
    `const cache = await model.prefill(longText);              // cache.length (tokens), cache.bytes (the allocator's own count)
const small = await cache.compact(attentionMatching({ ratio: 50 }));   // also snapKV h2o streaming pyramidKV expectedAttention kvzip ...
small.report().plot();                                    // real bytes, nominal ratio, error per layer and head
await model.generate(question, { cache: small });`,
    /\w/,
  ],
  [
    `const sweep = await cache.sweep([snapKV(), h2o(), attentionMatching()], { ratios: [2, 5, 10, 20, 50], probes });
sweep.plot();                                             // quality against memory`,
    /snapKV|attentionMatching/,
  ],
  [`const text = "The cat sat on the mat because it was tired.";`],
  [
    `const moe = await model.upcycle({ experts: 4, topK: 2 });  (await moe.routing(text)).plot();`,
    /busiest expert/,
  ],
  [
    `import { compare, data, gptq, sparseGPT } from "lensor";
const clean = data.from([{ text: longText }, { text: "He had gone to sea as a boy, and the sea had kept him. ".repeat(8) }]);
const heldOut = "The old man looked at the sea, and the sea looked back at him.";
const calibrate = clean;`,
  ],
  [
    `const q = await model.quantize(gptq({ bits: 3, group: 64 }), { calibrate: clean.take(64) });   // rtn awq hqq nf4 mxfp4 gguf(...)
const thin = await model.prune(sparseGPT({ sparsity: 0.5, pattern: "2:4" }), { calibrate });   // wanda magnitude lowRank
(await compare([model, q, thin], perplexity(heldOut))).plot();`,
    /smollm2-135m-instruct/,
  ],
];

it("the examples run as they are written", { timeout: 240_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "lensor-examples-"));
  try {
    writeFileSync(join(folder, "examples.ipynb"), notebookOf(cells.map(([source]) => source)));
    const args = [lensor, "run", join(folder, "examples.ipynb"), "--json"];
    // A failing cell ends it with status 1; its line still says what went wrong.
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 26 }).catch(
      (error: { stdout: string; stderr: string }) => ({ ...error, stdout: error.stdout || error.stderr }),
    );
    const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
    const results = lines.map((line) => JSON.parse(line) as { index: number; status: string; text?: string });
    const failed = results.filter((r) => r.status !== "ok");
    expect(failed, stdout.slice(-2000)).toEqual([]);
    expect(results.length).toBe(cells.length);
    for (const [i, [source, text]] of cells.entries())
      if (text) expect(results[i]?.text ?? "", source).toMatch(text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
