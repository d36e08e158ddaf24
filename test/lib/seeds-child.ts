// Work that a seed decides: a small network's training with each optimizer, the embedded model's adapters, sampling. Does
// each twice and prints a fingerprint of what came, as one JSON line; seeds.test.ts compares them between processes.

import { createHash } from "node:crypto";
import { checkpoint, hub, lora, type Model, nn, optim, scope, type Tensor, tensor } from "../../lib/index.ts";

/** Work -> the fingerprint of each of two runs with a seed, and of one with another. */
export type Seeded = Record<string, { same: [string, string]; other: string }>;

async function fingerprint(all: readonly (Tensor | readonly (number | string)[])[]): Promise<string> {
  const hash = createHash("sha256");
  for (const one of all)
    if (Array.isArray(one)) hash.update(JSON.stringify(one));
    else hash.update(await (one as Tensor).data());
  return hash.digest("hex").slice(0, 16);
}

/** Eight steps of two layers on random numbers: the parameters and the last loss. */
async function network(make: typeof optim.adamw, seed: number): Promise<string> {
  const [x, y] = [tensor.randn([64, 48], { seed }), tensor.randn([64, 8], { seed: seed + 1 })];
  const weights = [
    tensor.randn([48, 96], { seed: seed + 2 }).requiresGrad(),
    tensor.randn([96, 8], { seed: seed + 3 }).requiresGrad(),
  ] as const;
  const optimizer = make([...weights], { lr: 1e-2, clip: 1 });
  let last: Tensor | undefined;
  for (let step = 0; step < 8; step++) {
    last = scope(() => {
      const kept = tensor
        .rand([64, 96], { seed: seed * 100 + step })
        .gt(0.1)
        .cast("f32");
      const hidden = checkpoint(() => nn.rmsNorm(x.matmul(weights[0])).gelu().mul(kept));
      return hidden.matmul(weights[1]).sub(y).pow(2).mean();
    });
    optimizer.zeroGrad();
    last.backward();
    optimizer.step();
  }
  return fingerprint([...weights, last!]);
}

/** Two steps of the model's adapters on its own prompt. */
async function adapters(model: Model, seed: number, precision: "f32" | "bf16"): Promise<string> {
  const adapter = lora({ rank: 4, seed }).on(model);
  const optimizer = optim.adamw(adapter.parameters(), { lr: 1e-3 });
  const { ids } = model.tokenizer.encode("The sky is blue because of the air.");
  const losses: Tensor[] = [];
  for (let step = 0; step < 2; step++) {
    losses.push(model.loss([ids, ids.slice(3)], { adapter, precision }));
    optimizer.zeroGrad();
    losses[step]!.backward();
    optimizer.step();
  }
  return fingerprint([...adapter.parameters(), ...losses]);
}

async function sampled(model: Model, seed: number, compute: "exact" | "fast"): Promise<string> {
  const { text, tokens, logprobs } = await model.generate("The sky is", {
    ...{ maxTokens: 16, temperature: 1, topK: 200, topP: 0.95, seed, compute },
  });
  return fingerprint([[text], tokens, logprobs]);
}

const model = await hub.load("smollm2-135m-instruct");
const work: Record<string, (seed: number) => Promise<string>> = {
  "random tensors": (seed) => fingerprint([tensor.rand([1000], { seed }), tensor.randn([1000], { seed })]),
  "a network with AdamW": (seed) => network(optim.adamw, seed),
  "a network with AdamW in 8 bits": (seed) => network(optim.adamw8, seed),
  "a network with Lion": (seed) => network(optim.lion, seed),
  "a network with Muon": (seed) => network(optim.muon, seed),
  "a network with Adafactor": (seed) => network(optim.adafactor, seed),
  "adapters in f32": (seed) => adapters(model, seed, "f32"),
  "adapters in bf16": (seed) => adapters(model, seed, "bf16"),
  "sampling, exact": (seed) => sampled(model, seed, "exact"),
  "sampling, fast": (seed) => sampled(model, seed, "fast"),
};
const answer: Seeded = {};
for (const [name, run] of Object.entries(work))
  answer[name] = { same: [await run(1), await run(1)], other: await run(2) };
process.stdout.write(`\nanswer ${JSON.stringify(answer)}\n`);
