// Record batches as the bytes of a Parquet file, by parquet-wasm: compressed with zstd, in row groups that are read one by one.

import { type RecordBatch, type Schema, Table, tableToIPC } from "apache-arrow";

/** Rows of a row group at most, and bytes. */
const GROUP_ROWS = 1 << 17;
const GROUP_BYTES = 64 << 20;

export async function* parquetBytes(
  batches: AsyncIterable<RecordBatch>,
  schema: Schema,
): AsyncGenerator<Uint8Array> {
  const wasm = await import("parquet-wasm");
  const settings = () =>
    new wasm.WriterPropertiesBuilder()
      .setCompression(wasm.Compression.ZSTD)
      .setMaxRowGroupSize(GROUP_ROWS)
      .setMaxRowGroupBytes(GROUP_BYTES)
      .build();
  const turned = (batch: RecordBatch) => wasm.Table.fromIPCStream(tableToIPC(new Table([batch]), "stream"));
  const list = batches[Symbol.asyncIterator]();
  const first = await list.next();
  if (first.done) {
    // A stream without a batch has no schema: a table without rows has.
    const empty = wasm.Table.fromIPCStream(tableToIPC(new Table(schema), "stream"));
    yield wasm.writeParquet(empty, settings());
    return;
  }
  let problem: unknown;
  const stream = new ReadableStream({
    start(control) {
      control.enqueue(turned(first.value).recordBatches()[0]);
    },
    async pull(control) {
      try {
        const { done, value } = await list.next();
        if (done) control.close();
        else control.enqueue(turned(value).recordBatches()[0]);
      } catch (error) {
        problem = error;
        control.error(error);
      }
    },
  });
  try {
    yield* (await wasm.transformParquetStream(stream, settings())) as AsyncIterable<Uint8Array>;
  } catch (error) {
    // The decoder tells of an error in its own words: what really happened comes first.
    throw problem ?? error;
  }
}
