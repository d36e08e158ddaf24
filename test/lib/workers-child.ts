/**
 * Ends worker threads in the middle of native work, again and again, and goes on working itself; prints "done" where it
 * lived. A process of its own, since what it looks for is a crash: workers.test.ts runs it.
 */
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { tensor } from "../../lib/index.ts";

const ROUNDS = process.env.LENSOR_FULL ? 20 : 3;

/** Keeps the queue busy, with results on their way into this thread's own memory behind it. */
async function work(): Promise<void> {
  const x = tensor.randn([1000, 1000], { seed: 1 });
  let y = x;
  for (let i = 0; i < 12; i++) y = y.matmul(x).mul(0.03);
  const large = tensor.ones([16 << 20]).add(y.sum());
  const reads = [large.data(), large.data(), y.data()];
  parentPort!.postMessage("busy");
  await Promise.all(reads);
}

async function main(): Promise<void> {
  const own = tensor([1, 2, 3]);
  for (let round = 0; round < ROUNDS; round++) {
    const worker = new Worker(fileURLToPath(import.meta.url), { execArgv: process.execArgv });
    await new Promise((resolve) => worker.once("message", resolve));
    await new Promise((resolve) => setTimeout(resolve, (40 * round) % 100));
    await worker.terminate();
    if ((await own.sum().item()) !== 6) throw new Error("a worker's end changed a result here");
  }
  console.log("done");
}

await (isMainThread ? main() : work());
