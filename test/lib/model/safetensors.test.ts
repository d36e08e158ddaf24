// The safetensors format, both ways: the bytes of the format's own description, round trips, and files that are wrong.

import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LensorError } from "../../../lib/errors.ts";
import {
  floatsOf,
  readSafetensors,
  readTensors,
  type SafePart,
  writeSafetensors,
} from "../../../lib/model/safetensors.ts";
import { generator } from "./random-weights.ts";
import { saved } from "./temporary.ts";

const values = async (path: string) => {
  const file = await readSafetensors(path);
  const found = new Map<string, number[]>();
  for await (const { tensor, data } of readTensors(file, file.tensors))
    found.set(tensor.name, [...floatsOf(tensor, data)]);
  return found;
};

/** A file of this header and so many bytes of data. */
const fileOf = (header: unknown, bytes = 0) => {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return saved(Buffer.concat([length, text, Buffer.alloc(bytes)]));
};

it("what is written is read again, bit for bit, in any order of names, with its metadata", async () => {
  const path = saved(Buffer.alloc(0));
  const a = Float32Array.from([1, -0, 1 / 3, Number.POSITIVE_INFINITY, 5e-42, 6]);
  const parts: SafePart[] = [
    { name: "b", type: "F32", shape: [2, 3], data: a },
    {
      name: "a",
      type: "F16",
      shape: [4],
      data: async () => Uint16Array.from([0x3c00, 0xc000, 0x0001, 0x7c00]),
    },
    { name: "none", type: "F32", shape: [0, 7], data: new Float32Array() },
    { name: "one", type: "BF16", shape: [], data: Uint16Array.from([0x3f80]) },
  ];
  await writeSafetensors(path, parts, { format: "pt" });
  const file = await readSafetensors(path);
  expect([...file.metadata]).toEqual([["format", "pt"]]);
  expect(file.tensors.map(({ name, shape }) => [name, shape])).toEqual([
    ["b", [2, 3]],
    ["a", [4]],
    ["none", [0, 7]],
    ["one", []],
  ]);
  expect(file.tensors[0]!.offset % 8).toBe(0);
  const found = await values(path);
  expect(found.get("b")).toEqual([...a]);
  expect(found.get("a")).toEqual([1, -2, 2 ** -24, Number.POSITIVE_INFINITY]);
  expect(found.get("one")).toEqual([1]);
});

it("a file that cannot be written whole is not there", async () => {
  const path = saved(Buffer.from("before"));
  const parts: SafePart[] = [{ name: "a", type: "F32", shape: [2], data: new Float32Array(3) }];
  await expect(writeSafetensors(path, parts)).rejects.toThrow(
    /tensor a has data of another size.*8 bytes, got 12/s,
  );
  expect(readFileSync(path, "utf8")).toBe("before");
});

describe("a file that is wrong is told by what is wrong", () => {
  const entry = (change: object) => ({ dtype: "F32", shape: [2], data_offsets: [0, 8], ...change });
  const wrong: [string, unknown, RegExp][] = [
    ["no JSON", "{ no", /header is no JSON/],
    ["a list", [], /header is no object/],
    ["a type of its own", { a: entry({ dtype: "toString" }) }, /tensor a has an unknown type/],
    ["a negative size", { a: entry({ shape: [-2] }) }, /tensor a has an impossible shape/],
    ["too many axes", { a: entry({ shape: new Array(9).fill(1) }) }, /tensor a has an impossible shape/],
    ["sizes past counting", { a: entry({ shape: [2 ** 40, 2 ** 40] }) }, /tensor a has data of another size/],
    [
      "offsets the wrong way round",
      { a: entry({ data_offsets: [8, 0] }) },
      /tensor a has data of another size/,
    ],
    ["half an offset", { a: entry({ data_offsets: [0.5, 8.5] }) }, /tensor a has impossible offsets/],
    ["null", { a: null }, /tensor a has an unknown type/],
    [
      "an overlap",
      { a: entry({}), b: entry({ data_offsets: [4, 12] }) },
      /tensor b begins in the wrong place/,
    ],
    ["a gap", { a: entry({ data_offsets: [4, 12] }) }, /tensor a begins in the wrong place/],
    [
      "data past the end",
      { a: entry({ shape: [4], data_offsets: [0, 16] }) },
      /does not end with its last tensor/,
    ],
    ["metadata that is no text", { __metadata__: { a: 1 }, a: entry({}) }, /__metadata__ is wrong/],
  ];
  for (const [name, header, message] of wrong)
    it(name, async () => {
      await expect(readSafetensors(fileOf(header, 8))).rejects.toThrow(message);
    });

  it("a length past the file, and past every header", async () => {
    const long = Buffer.alloc(64);
    long.writeBigUInt64LE(0xffff_ffff_ffff_fff0n);
    await expect(readSafetensors(saved(long))).rejects.toThrow(/is not a safetensors file/);
    await expect(readSafetensors(saved(Buffer.alloc(3)))).rejects.toThrow(/got 3 bytes in all/i);
  });

  it("random damage: what is read fits the file, or it is a LensorError", async () => {
    const path = saved(Buffer.alloc(0));
    await writeSafetensors(path, [
      { name: "a", type: "F32", shape: [2, 3], data: new Float32Array(6) },
      { name: "b", type: "F16", shape: [4], data: new Uint16Array(4) },
    ]);
    const bytes = readFileSync(path);
    const random = generator(3);
    const below = (n: number) => Math.floor(random() * n);
    for (let round = 0; round < 300; round++) {
      const copy = Buffer.from(bytes);
      for (let flips = 1 + below(3); flips > 0; flips--) copy[below(copy.length - 32)] = below(256);
      writeFileSync(path, below(3) === 0 ? copy.subarray(0, below(copy.length)) : copy);
      try {
        const { tensors, size } = await readSafetensors(path);
        for (const { offset, bytes } of tensors) expect(offset + bytes).toBeLessThanOrEqual(size);
      } catch (error) {
        expect(error).toBeInstanceOf(LensorError);
      }
    }
  });
});
