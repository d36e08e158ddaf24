// The thread that decodes one Parquet file with parquet-wasm: a batch for each "next", as Arrow IPC. A file that makes the decoder
// panic ends this thread and nothing else. Imports nothing of ours.

import { openAsBlob } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { ParquetFile } from "parquet-wasm";

const { path, batchSize } = workerData as { path: string; batchSize: number };

async function* batches(): AsyncGenerator<Uint8Array> {
  const file = await ParquetFile.fromFile(await openAsBlob(path));
  const stream = await file.stream({ batchSize, concurrency: 1 });
  for await (const batch of stream as AsyncIterable<{ intoIPCStream(): Uint8Array }>)
    yield batch.intoIPCStream();
}

const list = batches();
parentPort!.on("message", async () => {
  try {
    const { done, value } = await list.next();
    if (done) parentPort!.postMessage({ done: true });
    else parentPort!.postMessage({ bytes: value }, [value.buffer as ArrayBuffer]);
  } catch (error) {
    parentPort!.postMessage({ problem: String((error as Error)?.message ?? error) });
  }
});
