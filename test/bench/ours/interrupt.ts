/**
 * Long native calls interrupted at some moment, as the kernel does it: by the flag that the session shares. A turn's
 * seconds are those from the flag to the end of the call.
 */
import { Worker } from "node:worker_threads";
import { hub, nn, optim, tensor } from "../../../lib/index.ts";
import { drain } from "../../../lib/native.ts";
import type { Shared } from "./interrupter.ts";
import type { Run } from "./main.ts";

interface Args {
  call: string;
  file: string;
  prompt: number[];
}

const flag = new Int32Array(new SharedArrayBuffer(4));
const order = new Int32Array(new SharedArrayBuffer(8));
const raised = new BigInt64Array(new SharedArrayBuffer(8));

export async function interrupt(args: Args): Promise<Run> {
  // What the session would be: found by the addon when it is loaded, which is after this.
  const host = { interruptFlag: flag, display: () => "", update: () => {}, onCellEnd: () => {} };
  Object.assign(globalThis, { [Symbol.for("lensor.host")]: host });
  const shared: Shared = { flag, order, raised };
  new Worker(new URL("interrupter.ts", import.meta.url), { workerData: shared }).unref();
  const start = await CALLS[args.call]!(args);
  // The first calls are slower than those to come: their memory is new.
  let quickest = Infinity;
  for (let call = 0; call < 4; call++) {
    const began = performance.now();
    await start();
    quickest = Math.min(quickest, performance.now() - began);
  }
  // Where in the call, at most: some way before its end, which another time comes sooner.
  const latest = Math.min(500, quickest / 2);
  let turn = 0;
  return async () => {
    // Moments spread evenly, the same ones in every run.
    const delay = 1 + Math.round(latest * ((turn++ * 0.618) % 1));
    Atomics.store(order, 0, delay);
    Atomics.notify(order, 0);
    const failure = await start().then(
      () => "it ran to its end",
      (error: Error) => error.message,
    );
    const now = process.hrtime.bigint();
    const early = Atomics.load(flag, 0) === 0;
    const seconds = Number(now - raised[0]!) / 1e9;
    // Left raised until the queue is empty, as the session does: what waits in it is not to run after all.
    await drain().catch(() => {});
    Atomics.store(flag, 0, 0);
    if (early || !failure.includes("interrupted"))
      throw new Error(`${args.call}, to be interrupted after ${delay} ms: ${failure}`);
    return { seconds, count: 1 };
  };
}

/** Each gives a call of some hundred milliseconds or more. */
const CALLS: Readonly<Record<string, (args: Args) => Promise<() => Promise<unknown>>>> = {
  async gemm() {
    const a = tensor.randn([4096, 4096], { seed: 1 });
    return () => a.matmul(a).matmul(a).sum().item();
  },
  async attention() {
    const [q, k] = [tensor.randn([9, 16_384, 64], { seed: 1 }), tensor.randn([3, 16_384, 64], { seed: 2 })];
    return () => nn.attention(q, k, k, { causal: true }).sum().item();
  },
  async backward() {
    const q = tensor.randn([9, 8192, 64], { seed: 1 }).requiresGrad();
    const k = tensor.randn([3, 8192, 64], { seed: 2 });
    return async () => {
      q.zeroGrad();
      nn.attention(q, k, k, { causal: true }).sum().backward();
      await q.grad!.sum().item();
    };
  },
  async sort() {
    const x = tensor.randn([20_000_000], { seed: 1 });
    return () => x.sort(0).values.sum().item();
  },
  async prefill({ file, prompt }) {
    const model = await hub.load(file);
    return () => model.prefill(prompt, { compute: "exact" });
  },
  async decode({ file, prompt }) {
    const model = await hub.load(file);
    const cache = await model.prefill(prompt.slice(0, 64), { compute: "fast" });
    return () => model.generate(prompt.slice(0, 1), { cache, maxTokens: 500, temperature: 0 });
  },
  async training({ file, prompt }) {
    const model = await hub.load(file);
    const optimizer = optim.adamw(model.parameters(), { lr: 1e-5 });
    return async () => {
      optimizer.zeroGrad();
      const loss = model.loss(prompt.slice(0, 1024));
      loss.backward();
      optimizer.step();
      await loss.item();
      await model.parameters().at(-1)!.sum().item();
    };
  },
};
