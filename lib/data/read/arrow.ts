// Arrow's own files, IPC file and stream: record batches, one after the other, over the memory that was read.

import { open } from "node:fs/promises";
import { RecordBatchReader } from "apache-arrow";
import { LensorError } from "../../errors.ts";
import { chunksOfBatch } from "../source.ts";
import type { Format } from "./format.ts";

export const arrow: Format = async function* (path) {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(6);
    await file.read(head, 0, 6, 0);
    // A file has its batches listed at the end; a stream is read as it comes.
    const listed = head.toString("latin1") === "ARROW1";
    const reader = listed
      ? await RecordBatchReader.from(file)
      : await RecordBatchReader.from(file.createReadStream({ autoClose: false, start: 0 }));
    for await (const batch of reader) yield* chunksOfBatch(batch);
  } catch (cause) {
    if (cause instanceof LensorError) throw cause;
    throw new LensorError(`${path} cannot be read as Arrow: ${(cause as Error).message.slice(0, 300)}`, {
      expected: "an Arrow IPC file or stream, not compressed",
      fix: "Fetch it again if it was cut short; write it without compression, or as Parquet.",
      cause,
    });
  } finally {
    await file.close().catch(() => {});
  }
};
