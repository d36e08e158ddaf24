// A file's tensors, short enough to compare: as test/fixtures/llama_cpp_gguf.py has those of llama.cpp's files.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readGguf } from "../../../lib/model/gguf.ts";

/** Type and the first 16 digits of the SHA-256 of each tensor's bytes: "Q4_K 0f3e...". */
export async function hashesOf(path: string): Promise<Record<string, string>> {
  const bytes = readFileSync(path);
  const { tensors } = await readGguf(path);
  return Object.fromEntries(
    tensors.map(({ name, type, offset, bytes: size }) => {
      const hash = createHash("sha256").update(bytes.subarray(offset, offset + size));
      return [name, `${type} ${hash.digest("hex").slice(0, 16)}`];
    }),
  );
}
