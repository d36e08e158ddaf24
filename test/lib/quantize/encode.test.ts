// GGUF's blocks from rows of numbers. Oracle: the bytes of ggml's own quantize functions (test/fixtures/make_gguf_quants.py),
// bit for bit, on numbers of every kind: drawn, constant, zeros, tiny, and a real model's.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Model, tensor } from "../../../lib/index.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { encoded } from "../../../lib/quantize/encode.ts";
import type { Encoded } from "../../../lib/quantize/recipe.ts";
import type { Tensor } from "../../../lib/tensor/tensor.ts";
import { rejection } from "../problem.ts";

const fixture = JSON.parse(
  readFileSync(new URL("../../fixtures/gguf-quants.json", import.meta.url), "utf8"),
) as {
  columns: number;
  importance: string;
  cases: { name: string; values: string; stored: Record<Encoded, [string, string, string]> }[];
};
const floats = (text: string): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);
const bytesOf = async (stored: Tensor) => Buffer.from((await stored.data()) as Uint8Array);
const importance = tensor(floats(fixture.importance));

describe("rows in GGUF's blocks", () => {
  it.each(fixture.cases)(
    "of $name are those of ggml, with and without importance",
    async ({ values, stored }) => {
      const rows = tensor(floats(values)).reshape(-1, fixture.columns);
      for (const [type, [without, weighed]] of Object.entries(stored) as [
        Encoded,
        [string, string, string],
      ][]) {
        const differ = async (found: Tensor, wanted: string) => {
          const [a, b] = [await bytesOf(found), Buffer.from(wanted, "base64")];
          expect(a.length).toBe(b.length);
          return a.filter((byte, i) => byte !== b[i]).length;
        };
        expect([type, await differ(encoded(rows, type), without)]).toEqual([type, 0]);
        expect([type, await differ(encoded(rows, type, importance), weighed)]).toEqual([type, 0]);
      }
    },
  );

  it.each(fixture.cases)("of $name are read as gguf's own dequantize reads them", async ({ stored }) => {
    const columns = fixture.columns;
    const model = await Model.fromConfig({
      layers: 1,
      width: 16,
      heads: 2,
      feedForward: columns,
      check: false,
    });
    const name = "blk.0.ffn_down.weight"; // 16 rows: eight times the two of the case
    for (const [type, [, weighed, numbers]] of Object.entries(stored) as [Encoded, string[]][]) {
      const rows = Buffer.concat(Array(8).fill(Buffer.from(weighed!, "base64")));
      const bytes = tensor(Uint8Array.from(rows));
      model.replace({ name, type, shape: [16, columns], bytes: rows.length }, bytes);
      const read = (await unpacked(model, name).data()) as Float32Array;
      for (const [i, x] of read.entries()) read[i] = x + 0;
      const hash = createHash("sha256").update(new Uint8Array(read.buffer, read.byteOffset, 8 * columns));
      expect([type, hash.digest("hex").slice(0, 16)]).toEqual([type, numbers]);
      expect(read.subarray(14 * columns)).toEqual(read.subarray(0, 2 * columns));
    }
    model.dispose();
  });

  it("do not depend on how many rows there are", async () => {
    const rows = tensor.randn([37, 256], { seed: 3 });
    for (const type of ["Q4_K", "Q5_1", "Q3_K"] as const) {
      const all = await bytesOf(encoded(rows, type));
      const alone = await bytesOf(encoded(rows.at([20, 21]), type));
      expect(all.subarray(20 * alone.length, 21 * alone.length).equals(alone)).toBe(true);
    }
  });

  it("are refused of numbers that are none", async () => {
    const rows = tensor([...Array(63).fill(1), Number.NaN]).reshape(2, 32);
    expect(await rejection(() => bytesOf(encoded(rows, "Q4_0")))).toContain("holds infinities or NaN");
  });
});
