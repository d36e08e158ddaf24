/** Steps of training: of a model or its adapters, in a run with checkpoints, and of a small network many times. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hub, lora, nn, optim, tensor } from "../../../lib/index.ts";
import { Watch } from "./generate.ts";
import type { Run } from "./main.ts";

export async function train(args: {
  file: string;
  ids: number[][];
  /** Of the adapters; 0 trains every number of the model. */
  rank: number;
  precision: "f32" | "bf16";
}): Promise<Run> {
  const { file, ids, rank, precision } = args;
  const model = await hub.load(file);
  const adapter = rank > 0 ? lora({ rank, seed: 0 }).on(model) : undefined;
  const parameters = adapter?.parameters() ?? model.parameters();
  const optimizer = optim.adamw(parameters, { lr: 1e-5 });
  const count = ids.reduce((sum, { length }) => sum + length, 0);
  return async () => {
    const start = performance.now();
    const loss = model.loss(ids, { precision, adapter });
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    await loss.item();
    // The step is done when the parameter that it changes last can be read.
    await parameters.at(-1)!.sum().item();
    return { seconds: (performance.now() - start) / 1000, count };
  };
}

/** A run of LoRA as a cell has it, its state saved every so many steps; 0 saves none. */
export async function tuning(args: {
  file: string;
  ids: number[];
  rank: number;
  steps: number;
  size: number;
  length: number;
  saveEvery: number;
}): Promise<Run> {
  const { file, ids, rank, steps, size, length, saveEvery } = args;
  const model = await hub.load(file);
  const texts = [model.tokenizer.decode(ids)];
  return async () => {
    const folder = saveEvery > 0 ? mkdtempSync(join(tmpdir(), "lensor-bench-")) : undefined;
    const start = performance.now();
    try {
      const run = model.finetune(texts, {
        ...{ adapter: lora({ rank }), steps, batch: size, length, lr: 1e-5, precision: "bf16", seed: 0 },
        ...(folder === undefined ? {} : { folder, saveEvery }),
      });
      (await run).dispose();
      return { seconds: (performance.now() - start) / 1000, count: steps };
    } finally {
      if (folder !== undefined) rmSync(folder, { recursive: true });
    }
  };
}

/** Steps of two layers on random numbers, as a beginner writes them: nothing is disposed by hand. */
export async function smallSteps({ steps }: { steps: number }): Promise<Run> {
  const shapes = [[64, 16], [64], [4, 64], [4]];
  const [w1, b1, w2, b2] = shapes.map((shape, seed) =>
    tensor.randn(shape, { seed }).mul(0.1).detach().requiresGrad(),
  );
  const optimizer = optim.adamw([w1!, b1!, w2!, b2!], { lr: 1e-3 });
  let seed = 0;
  return async () => {
    const start = performance.now();
    const watch = new Watch();
    for (let i = 0; i < steps; i++) {
      const x = tensor.randn([32, 16], { seed: seed++ });
      const hidden = nn.linear(x, w1!, b1).relu();
      const loss = nn
        .linear(hidden, w2!, b2)
        .sub(x.at(null, [0, 4]))
        .pow(2)
        .mean();
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      await loss.item();
      if (i % 20 === 0) watch.look();
    }
    return { seconds: (performance.now() - start) / 1000, count: steps, resident: watch.resident };
  };
}
