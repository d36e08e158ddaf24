/** Our side of `data`: texts in memory to token ids; a file read, curated and tokenized. */
import { readFileSync } from "node:fs";
import { data, pii, quality, Tokenizer } from "../../../lib/index.ts";
import { readGguf } from "../../../lib/model/gguf.ts";
import type { Run } from "./main.ts";

export async function tokenization({ file, model }: { file: string; model: string }): Promise<Run> {
  const texts = JSON.parse(readFileSync(file, "utf8")) as string[];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const tokenizer = Tokenizer.fromGguf(await readGguf(model));
  const tokenized = data.from(texts).tokenize(tokenizer);
  const run = async () => {
    const start = performance.now();
    let tokens = 0;
    for await (const chunk of tokenized.chunks())
      for (const ids of chunk.column("ids", "bench")) tokens += (ids as Int32Array).length;
    return { seconds: (performance.now() - start) / 1000, count: bytes, made: [tokens] };
  };
  await run();
  return run;
}

export async function pipeline({ path, model }: { path: string; model: string }): Promise<Run> {
  const tokenizer = Tokenizer.fromGguf(await readGguf(model));
  return async () => {
    const start = performance.now();
    const clean = data.read(path).normalize().dedup().filter(quality.gopher()).redact(pii());
    let tokens = 0;
    for await (const chunk of clean.tokenize(tokenizer).pack({ length: 512 }).chunks())
      for (const ids of chunk.column("ids", "bench")) tokens += (ids as Int32Array).length;
    return { seconds: (performance.now() - start) / 1000, count: tokens };
  };
}
