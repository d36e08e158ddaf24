// GGUF headers: what is read from a right file, and that no damage to one is ever more than an error.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LensorError } from "../../../lib/errors.ts";
import { configFromGguf } from "../../../lib/model/config.ts";
import { readGguf } from "../../../lib/model/gguf.ts";
import { locate } from "../../../lib/model/registry.ts";
import { Tokenizer } from "../../../lib/text/tokenizer.ts";
import { string, tinyModel, u32, u64, type Value, word, writeGguf } from "./write-gguf.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-gguf-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(bytes: Uint8Array) {
  const path = join(folder, "model.gguf");
  writeFileSync(path, bytes);
  return readGguf(path);
}
const config = async (bytes: Uint8Array) => configFromGguf(await read(bytes));
const array = (of: string, value: Value[]): Value => ({ type: "array", of, value });

describe("a right file", () => {
  it("gives metadata of every type", async () => {
    const { metadata, version } = await read(
      writeGguf([
        ["a", { type: "u8", value: 200 }],
        ["b", { type: "i8", value: -3 }],
        ["c", { type: "u16", value: 60_000 }],
        ["d", { type: "i16", value: -60 }],
        ["e", u32(4_000_000_000)],
        ["f", { type: "i32", value: -7 }],
        ["g", { type: "f32", value: 0.5 }],
        ["h", { type: "bool", value: 1 }],
        ["i", string("naïve 🌸")],
        ["j", { type: "u64", value: 2n ** 63n }],
        ["k", { type: "i64", value: -5n }],
        ["l", { type: "f64", value: Math.PI }],
        ["m", array("array", [array("string", [string("x")]), array("u8", [])])],
      ]),
    );
    expect(version).toBe(3);
    const values = [200, -3, 60_000, -60, 4_000_000_000, -7, 0.5, true, "naïve 🌸", 2n ** 63n, -5, Math.PI];
    expect([...metadata.values()]).toEqual([...values, [["x"], []]]);
  });

  it("gives each tensor's shape by rows and where it lies", async () => {
    const bytes = tinyModel();
    const { tensors } = await read(bytes);
    const up = tensors.find(({ name }) => name === "blk.0.ffn_down.weight")!;
    expect(up).toMatchObject({ type: "Q8_0", shape: [32, 64], bytes: 2176, offset: bytes.length - 2176 });
  });

  it("gives a configuration that the tensors agree with", async () => {
    const want = {
      layers: 1,
      width: 32,
      heads: 4,
      kvHeads: 2,
      headWidth: 8,
      feedForward: 64,
      vocabulary: 40,
    };
    expect(await config(tinyModel())).toMatchObject({
      ...want,
      name: "Tiny",
      tiedEmbeddings: true,
      ropeTheta: 10_000,
    });
  });
});

describe("the embedded model", () => {
  it("has the size its authors say, and every byte of its tensors inside the file", {
    timeout: 300_000,
  }, async () => {
    const file = await readGguf((await locate("smollm2-135m-instruct")).path);
    const want = {
      layers: 30,
      width: 576,
      heads: 9,
      kvHeads: 3,
      headWidth: 64,
      feedForward: 1536,
      vocabulary: 49_152,
    };
    const rest = { context: 8192, ropeTheta: 100_000, tiedEmbeddings: true, parameters: 134_515_008 };
    expect(configFromGguf(file)).toMatchObject({ ...want, ...rest });
    expect(file.tensors.length).toBe(272);
    expect(Math.max(...file.tensors.map(({ offset, bytes }) => offset + bytes))).toBeLessThanOrEqual(
      file.size,
    );
  });
});

describe("a wrong file is refused", () => {
  const norm = { name: "x", sizes: [4], type: 0, bytes: 16 };
  const files: [string, () => Buffer, RegExp][] = [
    ["alignment zero", () => writeGguf([["general.alignment", u32(0)]]), /general\.alignment/],
    ["alignment 48", () => writeGguf([["general.alignment", u32(48)]]), /power of two.*48/s],
    [
      "a key twice",
      () =>
        writeGguf([
          ["a", u32(1)],
          ["a", u32(2)],
        ]),
      /"a" occurs twice/,
    ],
    ["a tensor twice", () => writeGguf([], [norm, norm]), /x occurs twice/],
    ["tensors that overlap", () => writeGguf([], [norm, { ...norm, name: "y", offset: 0n }]), /overlap/],
    ["rank zero", () => writeGguf([], [{ ...norm, sizes: [] }]), /rank/],
    ["a row that cuts a block", () => writeGguf([], [{ ...norm, sizes: [33], type: 8 }]), /multiple of 32/],
    ["a type of its code", () => writeGguf([], [{ ...norm, type: 20 }]), /IQ4_NL/],
    [
      "sizes whose product wraps to zero",
      () => writeGguf([], [{ ...norm, sizes: [2n ** 32n, 2n ** 32n] }]),
      /shape/,
    ],
    [
      "an offset that wraps",
      () => writeGguf([], [{ ...norm, offset: 2n ** 64n - 32n }]),
      /offset.*18446744073709551584/s,
    ],
    [
      "arrays nested deeper than anyone writes",
      () => writeGguf([["a", array("array", [array("array", [array("array", [array("u8", [])])])])]]),
      /nests/,
    ],
    [
      "an unknown type of value",
      () => Buffer.concat([writeGguf([["a", u32(1)]]).subarray(0, 33), word(77), word(0)]),
      /type.*77/s,
    ],
    [
      "an array larger than the file",
      () =>
        Buffer.concat([
          ...["GGUF"].map((s) => Buffer.from(s)),
          word(3),
          u64(0n),
          u64(1n),
          u64(1n),
          Buffer.from("a"),
          word(9),
          word(4),
          u64(1_000_000n),
        ]),
      /ends inside.*1000000/s,
    ],
    ["version 1", () => writeGguf([], [], { version: 1 }), /version 1/],
  ];
  for (const [name, make, error] of files)
    it(name, async () => {
      const failure = read(make());
      await expect(failure).rejects.toThrow(LensorError);
      await expect(failure).rejects.toThrow(error);
      await expect(failure).rejects.toThrow(/model\.gguf/);
    });

  it("that is a folder or is not there", async () => {
    await expect(readGguf(folder)).rejects.toThrow(/folder/);
    await expect(readGguf(join(folder, "none.gguf"))).rejects.toThrow(/none\.gguf/);
  });

  it("cut at any byte", async () => {
    const bytes = tinyModel();
    for (let length = 0; length < bytes.length; length += length < 2600 ? 1 : 97)
      await expect(read(bytes.subarray(0, length))).rejects.toThrow(LensorError);
  }, 60_000);
});

describe("a configuration is refused", () => {
  const key = (name: string, value: Value) => tinyModel({ metadata: [[name, value]] });
  const files: [string, () => Buffer, RegExp][] = [
    ["of another architecture", () => key("general.architecture", string("mamba")), /mamba/],
    [
      "with heads that do not share evenly",
      () => key("llama.attention.head_count_kv", u32(3)),
      /evenly.*4 and 3/s,
    ],
    ["with zero layers", () => key("llama.block_count", u32(0)), /block_count/],
    ["with more layers than tensors", () => key("llama.block_count", u32(2)), /blk\.1\.attn_norm.*missing/],
    ["with another width", () => key("llama.embedding_length", u32(64)), /token_embd.*shape.*64/s],
    ["with a key of the wrong type", () => key("llama.context_length", string("64")), /context_length/],
    [
      "with an epsilon that is no number",
      () => key("llama.attention.layer_norm_rms_epsilon", { type: "f32", value: Number.NaN }),
      /epsilon/,
    ],
    ["with experts", () => key("llama.expert_count", u32(4)), /expert/],
    [
      "with a scaling of RoPE nobody knows",
      () => key("llama.rope.scaling.type", string("longrope")),
      /longrope/,
    ],
    [
      "with a tensor nobody would use",
      () =>
        tinyModel({ tensors: (t) => [...t, { name: "rope_freqs.weight", sizes: [5], type: 0, bytes: 20 }] }),
      /rope_freqs/,
    ],
  ];
  for (const [name, make, error] of files) it(name, () => expect(config(make())).rejects.toThrow(error));
});

describe("random damage", () => {
  it("is an error of ours or a file that still parses, and takes little memory", {
    timeout: 120_000,
  }, async () => {
    const bytes = tinyModel();
    // A linear congruential generator: the same damage on every run.
    let state = 12_345;
    const random = (below: number) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
    const before = process.memoryUsage().rss;
    let parsed = 0;
    for (let round = 0; round < 3000; round++) {
      const copy = Buffer.from(bytes);
      for (let flips = 1 + random(4); flips > 0; flips--)
        copy[random(2600)] = [0, 0xff, 0x80, random(256)][random(4)]!;
      const cut = random(3) === 0 ? copy.subarray(0, random(copy.length)) : copy;
      try {
        const file = await read(cut);
        configFromGguf(file);
        Tokenizer.fromGguf(file).encode("abc ab 12 <s>");
        parsed++;
      } catch (error) {
        expect(error).toBeInstanceOf(LensorError);
      }
    }
    expect(parsed).toBeGreaterThan(0);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 << 20);
  });
});
