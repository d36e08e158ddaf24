// Parquet, by parquet-wasm in a thread of its own: a row group's pages are read when they are needed, rows come out some hundred
// at a time, and one batch is decoded while the one before is worked on.

import { once } from "node:events";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { tableFromIPC } from "apache-arrow";
import { LensorError } from "../../errors.ts";
import { packageRoot } from "../../package.ts";
import { CHUNK_ROWS, chunksOfBatch } from "../source.ts";
import type { Format } from "./format.ts";

interface Answer {
  readonly bytes?: Uint8Array;
  readonly problem?: string;
  readonly done?: boolean;
}

/** A thread runs compiled code: beside this file once it is compiled itself, else where the build puts it. */
const THREAD = import.meta.url.endsWith(".ts")
  ? join(packageRoot(), "dist", "lib", "data", "read", "parquet-worker.js")
  : new URL("./parquet-worker.js", import.meta.url);

export const parquet: Format = async function* (path) {
  await checkEnds(path);
  const worker = new Worker(THREAD, { workerData: { path, batchSize: CHUNK_ROWS }, execArgv: [] });
  const next = async (): Promise<Answer> => {
    const answer = once(worker, "message");
    worker.postMessage("next");
    return (await answer)[0];
  };
  let answer = next();
  try {
    for (;;) {
      const { bytes, problem, done } = await answer;
      if (done) return;
      if (!bytes) throw new Error(problem);
      answer = next();
      // Awaited in the next round, unless nobody wants more.
      answer.catch(() => {});
      for (const part of tableFromIPC(bytes).batches) yield* chunksOfBatch(part);
    }
  } catch (cause) {
    if (cause instanceof LensorError) throw cause;
    const problem = String((cause as Error)?.message ?? cause);
    throw new LensorError(`${path} cannot be read as Parquet: ${problem.slice(0, 300)}`, {
      fix: "The file is damaged, or uses what parquet-wasm does not know: fetch it again, or write it anew.",
      cause,
    });
  } finally {
    await worker.terminate();
  }
};

/** A file that was cut short has lost its end, where Parquet keeps what is where. */
async function checkEnds(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const [head, tail] = [Buffer.alloc(4), Buffer.alloc(4)];
    await file.read(head, 0, 4, 0);
    await file.read(tail, 0, 4, Math.max(0, size - 4));
    const is = (bytes: Buffer) => bytes.toString("latin1") === "PAR1";
    if (is(head) && is(tail) && size >= 12) return;
    throw new LensorError(`${path} ${is(head) ? "is cut short: it has no end" : "is no Parquet file"}`, {
      expected: `a file that begins and ends with "PAR1"`,
      got: `${size} bytes that begin with ${JSON.stringify(head.toString("latin1"))}`,
      fix: is(head) ? "Fetch it again: without its end nothing in it can be found." : undefined,
    });
  } finally {
    await file.close();
  }
}
