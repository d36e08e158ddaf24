// What names data by its contents: a hash of rows, and of a source with the steps that follow it. Pure.

import { createHash, type Hash } from "node:crypto";
import type { Row } from "./chunk.ts";

/** A hash that rows are added to, one after the other. */
export function rowsHash(): { add(row: Row): void; end(): string } {
  const hash = createHash("sha256");
  return { add: (row) => addValue(hash, row), end: () => hash.digest("hex") };
}

/** Of plain data: the same for the same values, whatever the order of its names. */
export function hashOf(value: unknown): string {
  const hash = createHash("sha256");
  addValue(hash, value);
  return hash.digest("hex");
}

function addValue(hash: Hash, value: unknown): void {
  if (typeof value === "string") hash.update(`s${Buffer.byteLength(value)}:`).update(value);
  else if (ArrayBuffer.isView(value))
    hash
      .update(`${value.constructor.name}${value.byteLength}:`)
      .update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  else if (Array.isArray(value)) {
    hash.update(`[${value.length}:`);
    for (const one of value) addValue(hash, one);
  } else if (value instanceof Date) hash.update(`d${value.getTime()};`);
  else if (typeof value === "object" && value !== null) {
    hash.update("{");
    for (const key of Object.keys(value).sort()) {
      const field = (value as Row)[key];
      if (field === undefined) continue;
      addValue(hash, key);
      addValue(hash, field);
    }
    hash.update("}");
  } else hash.update(`${typeof value}${String(value)};`);
}
