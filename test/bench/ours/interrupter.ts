/** The thread that interrupts: raises the flag so many milliseconds after it is told to, whatever the main thread does. */
import { workerData } from "node:worker_threads";

/** `order[0]`: milliseconds to wait, 0 when there is nothing to do. `order[1]` is never raised: it is slept on. */
export interface Shared {
  flag: Int32Array;
  order: Int32Array;
  /** When the flag was raised, by process.hrtime. */
  raised: BigInt64Array;
}

const { flag, order, raised } = workerData as Shared;
for (;;) {
  Atomics.wait(order, 0, 0);
  Atomics.wait(order, 1, 0, Atomics.load(order, 0));
  raised[0] = process.hrtime.bigint();
  Atomics.store(flag, 0, 1);
  Atomics.store(order, 0, 0);
}
