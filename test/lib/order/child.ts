// A process that computes cases on its own number of threads (LENSOR_THREADS is read when it starts). Arguments: the
// models' files.

import type { Kind } from "./cases.ts";
import { compute, useModels } from "./compute.ts";

useModels(process.argv.slice(2));
process.on("message", async ({ id, kind, one }: { id: number; kind: Kind; one: never }) => {
  try {
    process.send!({ id, found: await compute(kind, one) });
  } catch (error) {
    process.send!({ id, error: String((error as Error).stack) });
  }
});
