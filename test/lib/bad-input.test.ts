// Bad input to the models side: each gives an error that says what is wrong, and the process goes on working.
// Damaged files are made from the real one, so that only the damage is wrong with them.

import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hub, type Model, perplexity, scope, tensor } from "../../lib/index.ts";
import { locate } from "../../lib/model/registry.ts";
import { reference } from "./reference.ts";

const NAME = "smollm2-135m-instruct";
let folder: string;
let original: string;
let model: Model;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lensor-bad-"));
  original = (await locate(NAME)).path;
  model = await hub.load(NAME);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

// The last word of every group: nothing above broke the model or the engine.
async function stillWorks() {
  const { logits } = await model.forward(reference.logits.ids.slice(0, 3));
  expect(logits.shape).toEqual([3, 49_152]);
  expect((await logits.data()).every((x) => Number.isFinite(Number(x)))).toBe(true);
}

describe("a damaged GGUF", () => {
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const u64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  };

  /** Where fields of a tensor's entry lie: its name, u32 rank, u64 sizes, u32 type, u64 offset (GGUF 3). */
  function entry(head: Buffer, name: string) {
    const rank = head.indexOf(name) + name.length;
    if (rank < name.length) throw new Error(`No tensor ${name} in the header`);
    const type = rank + 4 + 8 * head.readUInt32LE(rank);
    return { length: rank - name.length - 8, rank, sizes: rank + 4, type, offset: type + 4 };
  }

  const TENSOR = "blk.3.attn_q.weight";
  type Patch = (head: Buffer) => [at: number, bytes: Buffer];
  const lies: Record<string, { patch: Patch; error: RegExp }> = {
    "another magic": { patch: () => [0, Buffer.from("GGML")], error: /GGUF/ },
    "a version from the future": { patch: () => [4, u32(4096)], error: /version/i },
    "a byte-swapped version": { patch: () => [4, u32(0x03000000)], error: /version|endian/i },
    "more tensors than any file holds": { patch: () => [8, u64(1n << 60n)], error: /tensor/i },
    "more metadata than any file holds": { patch: () => [16, u64(1n << 60n)], error: /metadata|key/i },
    "a key as long as the universe": {
      patch: () => [24, u64((1n << 63n) + 5n)],
      error: /string|key|length/i,
    },
    "a tensor's name that is too long": {
      patch: (h) => [entry(h, TENSOR).length, u64(1n << 32n)],
      error: /name|string|length/i,
    },
    "a tensor of rank 1000": { patch: (h) => [entry(h, TENSOR).rank, u32(1000)], error: /rank|dimension/i },
    "a size that overflows": {
      patch: (h) => [entry(h, TENSOR).sizes, u64(1n << 62n)],
      error: /blk\.3\.attn_q|size|shape|large/i,
    },
    "sizes whose product overflows": {
      patch: (h) => [entry(h, TENSOR).sizes, Buffer.concat([u64(1n << 32n), u64(1n << 32n)])],
      error: /blk\.3\.attn_q|size|shape|large/i,
    },
    "a size of zero": {
      patch: (h) => [entry(h, TENSOR).sizes, u64(0n)],
      error: /blk\.3\.attn_q|size|shape/i,
    },
    "a size that is not the model's": {
      patch: (h) => [entry(h, TENSOR).sizes, u64(544n)],
      error: /blk\.3\.attn_q|shape/i,
    },
    "a type that does not exist": { patch: (h) => [entry(h, TENSOR).type, u32(999)], error: /type/i },
    "an offset past the end": {
      patch: (h) => [entry(h, TENSOR).offset, u64(1n << 40n)],
      error: /end|past|outside|offset/i,
    },
    "an offset that overflows": {
      patch: (h) => [entry(h, TENSOR).offset, u64((1n << 64n) - 32n)],
      error: /end|past|outside|offset|large/i,
    },
    "an offset off its alignment": { patch: (h) => [entry(h, TENSOR).offset, u64(7n)], error: /align/i },
    "a name that occurs twice": {
      patch: (h) => [entry(h, TENSOR).rank - TENSOR.length, Buffer.from("blk.4.attn_q.weight")],
      error: /blk\.4\.attn_q|twice|duplicate/i,
    },
  };

  let damaged: string;
  let head: Buffer;
  beforeAll(() => {
    damaged = join(folder, "damaged.gguf");
    copyFileSync(original, damaged);
    head = Buffer.alloc(8 << 20);
    const file = openSync(original, "r");
    readSync(file, head, 0, head.length, 0);
    closeSync(file);
  });

  function write(at: number, bytes: Uint8Array) {
    const file = openSync(damaged, "r+");
    writeSync(file, bytes, 0, bytes.length, at);
    closeSync(file);
  }

  for (const [name, { patch, error }] of Object.entries(lies))
    it(`is refused: ${name}`, async () => {
      const [at, bytes] = patch(head);
      write(at, bytes);
      try {
        const failure = hub.load(damaged);
        await expect(failure).rejects.toThrow(error);
        await expect(failure).rejects.toThrow(/damaged\.gguf/);
      } finally {
        write(at, head.subarray(at, at + bytes.length));
      }
    });

  it("loads again once the damage is undone", { timeout: 60_000 }, async () => {
    const repaired = await hub.load(damaged);
    const { ids } = reference.logits;
    const [there, here] = [await repaired.forward(ids), await model.forward(ids)];
    expect(await there.logits.data()).toEqual(await here.logits.data());
  });

  for (const [name, size] of Object.entries({
    "in its magic": 3,
    "in its counts": 20,
    "in its vocabulary": 200_000,
    "in its weights": 60_000_000,
    "by one byte": -1,
  }))
    it(`is refused when it was cut ${name}`, async () => {
      const cut = join(folder, "cut.gguf");
      copyFileSync(original, cut);
      const full = reference.model.bytes;
      truncateSync(cut, size < 0 ? full + size : size);
      await expect(hub.load(cut)).rejects.toThrow(/cut\.gguf/);
      await expect(hub.load(cut)).rejects.toThrow(/truncated|ends|end of|incomplete|GGUF|short/i);
    });

  it("leaves the engine working", stillWorks);
});

describe("hub.load", () => {
  it("suggests a near name for one it does not know", async () => {
    await expect(hub.load("smollm2-135m-instuct")).rejects.toThrow(/smollm2-135m-instruct/);
  });

  it("refuses what is not a model", async () => {
    const cases: Record<string, string | Buffer> = {
      "notes.txt": "Dear diary, today I was renamed.",
      "renamed.gguf": "Dear diary, today I was renamed.",
      "empty.gguf": "",
      "picture.gguf": Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"),
    };
    for (const [file, content] of Object.entries(cases)) {
      writeFileSync(join(folder, file), content);
      await expect(hub.load(join(folder, file))).rejects.toThrow(file);
    }
  });

  it("refuses a folder without a model and a path that is not there", async () => {
    mkdirSync(join(folder, "nothing"), { recursive: true });
    await expect(hub.load(join(folder, "nothing"))).rejects.toThrow(/nothing/);
    await expect(hub.load(join(folder, "absent.gguf"))).rejects.toThrow(/absent\.gguf/);
    await expect(hub.load("")).rejects.toThrow(/name|empty/i);
    await expect(hub.load(undefined as never)).rejects.toThrow(/name|string/i);
  });

  it("refuses options that mean nothing", async () => {
    await expect(hub.load(NAME, { context: 0 })).rejects.toThrow(/context/);
    await expect(hub.load(NAME, { context: 2.5 })).rejects.toThrow(/context/);
    await expect(hub.load(NAME, { device: "abacus" } as never)).rejects.toThrow(
      /device.*abacus|abacus.*device/is,
    );
    await expect(hub.load(NAME, { compute: "quick" } as never)).rejects.toThrow(/compute/);
  });
});

describe("a model", () => {
  it("refuses an empty prompt", async () => {
    await expect(model.forward([])).rejects.toThrow(/empty|at least one/i);
    await expect(model.forward("")).rejects.toThrow(/empty|at least one/i);
    await expect(model.trace("")).rejects.toThrow(/empty|at least one/i);
    await expect(model.prefill("")).rejects.toThrow(/empty|at least one/i);
    await expect((async () => await model.generate("", { maxTokens: 4 }))()).rejects.toThrow(
      /empty|at least one/i,
    );
  });

  it("refuses more text than its context", { timeout: 60_000 }, async () => {
    const narrow = await hub.load(NAME, { context: 16 });
    const ids = reference.text.ids.slice(0, 17);
    await expect(narrow.forward(ids)).rejects.toThrow(/17.*16|16.*17/s);
    await expect(narrow.prefill(ids)).rejects.toThrow(/17.*16|16.*17/s);
    await expect(narrow.trace(ids)).rejects.toThrow(/17.*16|16.*17/s);
    await expect((async () => await narrow.generate(ids, { maxTokens: 4 }))()).rejects.toThrow(/context/i);
    expect((await narrow.forward(ids.slice(1))).logits.shape).toEqual([16, 49_152]);
  });

  it("refuses ids that are not its own", async () => {
    for (const id of [49_152, -1, 1.5, Number.NaN, "1" as never, undefined as never])
      await expect(model.forward([1, id, 2])).rejects.toThrow(/id|token/i);
    await expect(model.forward(null as never)).rejects.toThrow(/text|ids/i);
    await expect(model.forward({} as never)).rejects.toThrow(/text|ids/i);
  });

  const options: Record<string, object> = {
    maxTokens: { maxTokens: -1 },
    "maxTokens ": { maxTokens: 1.5 },
    temperature: { temperature: -0.1 },
    "temperature ": { temperature: Number.NaN },
    topK: { topK: 0.5 },
    topP: { topP: 1.5 },
    minP: { minP: -1 },
    repetitionPenalty: { repetitionPenalty: 0 },
    seed: { seed: 0.5 },
    stop: { stop: 7 },
    compute: { compute: "quick" },
  };
  for (const [name, option] of Object.entries(options))
    it(`refuses ${JSON.stringify(option)} and names the option`, async () => {
      const start = async () => await model.generate("Once", { maxTokens: 2, ...option });
      await expect(start()).rejects.toThrow(name.trim());
    });

  it("refuses messages that are none", async () => {
    const chat = async (messages: unknown) => await model.chat(messages as never, { maxTokens: 2 });
    await expect(chat([])).rejects.toThrow(/message/i);
    await expect(chat("Hi")).rejects.toThrow(/message/i);
    await expect(chat([{ role: "user" }])).rejects.toThrow(/content/i);
    await expect(chat([{ content: "Hi" }])).rejects.toThrow(/role/i);
  });

  it("refuses layers and heads it does not have", async () => {
    const trace = await model.trace("one two three");
    expect(() => trace.attention({ layer: 30 })).toThrow(/layer.*30/is);
    expect(() => trace.attention({ layer: -1 })).toThrow(/layer/i);
    expect(() => trace.attention({ layer: 0, head: 9 })).toThrow(/head.*9/is);
    expect(() => trace.residual(31)).toThrow(/layer.*31|31.*layer/is);
    expect(() => trace.keyMass({ layer: 30 })).toThrow(/layer.*30/is);
  });

  it("refuses the perplexity of text with nothing to predict", async () => {
    await expect((async () => perplexity("")(model))()).rejects.toThrow(/empty|predict|token/i);
    await expect((async () => perplexity("a")(model))()).rejects.toThrow(/predict|token/i);
  });

  it("still works", stillWorks);
});

describe("a tensor", () => {
  it("refuses to be used once it is disposed, and says its name", () => {
    const x = tensor([1, 2, 3]);
    x.dispose();
    expect(() => x.add(1)).toThrow(/disposed|freed/i);
    expect(() => tensor([1, 2, 3]).add(x)).toThrow(/disposed|freed/i);
    expect(() => x.reshape([3, 1])).toThrow(/disposed|freed/i);
    return expect((async () => x.data())()).rejects.toThrow(/disposed|freed/i);
  });

  it("frees what a scope made, and refuses a scope that waits", () => {
    let inner: ReturnType<typeof tensor> | undefined;
    const kept = scope(() => {
      inner = tensor([1, 2]);
      return inner.mul(2);
    });
    expect(() => inner!.add(1)).toThrow(/disposed|freed|scope/i);
    expect(() => scope(async () => tensor([1]))).toThrow(/promise|synchronous|async/i);
    return expect(kept.array()).resolves.toEqual([2, 4]);
  });

  it("refuses shapes that do not fit", () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(() => x.matmul(x)).toThrow(/3.*2|2.*3/s);
    expect(() => x.add(tensor([1, 2]))).toThrow(/shape|broadcast/i);
    expect(() => x.reshape([4, 2])).toThrow(/6|8/);
    expect(() => x.sum(2)).toThrow(/axis/i);
    expect(() => tensor([[1, 2], [3]])).toThrow(/ragged|length|shape|nested/i);
    expect(() => tensor(new Float32Array(5), { shape: [2, 3] })).toThrow(/5|6/);
    expect(() => tensor.zeros([-1, 2])).toThrow(/shape|size|-1/i);
    expect(() => tensor.zeros([2 ** 31, 2 ** 31])).toThrow(/bytes|large|shape|memory/i);
  });

  it("refuses dtypes and values that do not fit", () => {
    expect(() => tensor([1, 2], { dtype: "f12" as never })).toThrow(/f12/);
    expect(() => tensor([1, 2]).cast("q4" as never)).toThrow(/q4/);
    expect(() => tensor(["a"] as never)).toThrow(/number|string|value/i);
    expect(() => tensor(undefined as never)).toThrow(/number|array|tensor/i);
    expect(() => tensor([1, 2], { dtype: "i32" }).mean()).toThrow(/mean/i);
  });

  it("refuses item() of more than one", async () => {
    await expect((async () => tensor([1, 2]).item())()).rejects.toThrow(/one element|2/);
  });

  it("still works", stillWorks);
});
