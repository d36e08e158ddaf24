// Caches as files: what is loaded goes on bit for bit as what was saved would have, whatever was done to it before; a file
// that is damaged, of another model or newer is refused, and nothing is left half written.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cache, kvQuant, type Model, palu, streaming, thinK } from "../../../lib/index.ts";
import { KV_TYPES } from "../../../lib/kv/cache.ts";
import type { Method } from "../../../lib/kv/method.ts";
import { loadRandom } from "../model/temporary.ts";

type Json = { ids: number[]; kept: object; [name: string]: unknown };

const folder = mkdtempSync(join(tmpdir(), "lensor-cache-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let model: Model;
const ids = Array.from({ length: 150 }, (_, i) => (i * 37 + 11) % 256);
beforeAll(async () => {
  model = await loadRandom({ headWidth: 16 });
});

const bits = async (cache: Cache) => {
  const { logits } = await model.forward([3, 5], { cache: cache.fork() });
  return Buffer.from(((await logits.data()) as Float32Array).buffer).toString("hex");
};
const biased = (ratio: number): Method => ({
  ...{ name: "biased", ratio, options: {}, at: biased },
  plan: async ({ layers, kvHeads }) => {
    const keep = Int32Array.from({ length: 70 }, (_, i) => 2 * i);
    const plan = { keep, bias: Float32Array.from(keep, (i) => i / 50) };
    return { heads: Array.from({ length: layers }, () => Array.from({ length: kvHeads }, () => plan)) };
  },
});

describe("a cache that was saved", () => {
  for (const kv of KV_TYPES)
    it(`goes on as it would have, and can be rewound: ${kv}`, async () => {
      const cache = await model.prefill(ids, { compute: "exact", kv });
      const file = join(folder, `${kv}.cache`);
      await cache.save(file);
      const loaded = await model.loadCache(file);
      expect([loaded.length, loaded.kv, loaded.compute]).toEqual([150, kv, "exact"]);
      expect(await bits(loaded)).toBe(await bits(cache));
      expect(await bits(loaded.rewind(100))).toBe(await bits(cache.rewind(100)));
      await loaded.append([7, 8, 9]);
      await cache.append([7, 8, 9]);
      expect(await bits(loaded)).toBe(await bits(cache));
    });

  for (const method of [
    streaming({ ratio: 3 }),
    biased(2),
    kvQuant({ bits: 4 }),
    palu({ ratio: 2 }),
    thinK({ ratio: 1.2 }),
  ])
    it(`was made smaller by ${method.name}, and grew since`, async () => {
      const whole = await model.prefill(ids, { compute: "exact" });
      const small = await whole.compact(method.ratio === undefined ? method.at(3) : method);
      await small.append([1, 2, 3]);
      const file = join(folder, `${method.name}.cache`);
      await small.save(file);
      const loaded = await model.loadCache(file);
      expect(await bits(loaded)).toBe(await bits(small));
      expect(loaded.report().toJSON()).toEqual(JSON.parse(JSON.stringify(small.report().toJSON())));
      expect(loaded.positions(1)).toEqual(small.positions(1));
      await loaded.append([7, 8, 9]);
      await small.append([7, 8, 9]);
      expect(await bits(loaded)).toBe(await bits(small));
    });
});

describe("a file that is not what it should be", () => {
  it("is refused with what is wrong, wherever it is damaged", async () => {
    const file = join(folder, "good.cache");
    await (await (await model.prefill(ids)).compact(kvQuant({ ratio: 2.5 }))).save(file);
    const good = readFileSync(file);
    const header = Number(good.readBigUInt64LE(8));
    const bad = join(folder, "bad.cache");
    const attempt = async (bytes: Buffer) => {
      writeFileSync(bad, bytes);
      return model.loadCache(bad).then(
        () => "no error",
        (error: Error) => error.message,
      );
    };
    expect(await attempt(good.subarray(0, 10))).toMatch(/damaged/);
    expect(await attempt(good.subarray(0, good.length - 1))).toMatch(/size is not/);
    expect(await attempt(Buffer.concat([good, Buffer.alloc(1)]))).toMatch(/size is not/);
    const edited = (edit: (header: Json) => void) => {
      const json = JSON.parse(good.toString("utf8", 16, 16 + header)) as Json;
      edit(json);
      const text = Buffer.from(JSON.stringify(json));
      const start = Buffer.from(good.subarray(0, 16));
      start.writeBigUInt64LE(BigInt(text.length), 8);
      return Buffer.concat([start, text, good.subarray(16 + header)]);
    };
    const cases: [(header: Json) => void, RegExp][] = [
      [(h) => Object.assign(h, { version: 2 }), /another version/],
      [(h) => Object.assign(h, { fingerprint: "0" }), /belongs to another model/],
      [(h) => Object.assign(h, { ids: [-1] }), /what cannot be/],
      [(h) => Object.assign(h, { kv: "f64" }), /what cannot be/],
      [(h) => Object.assign(h, { layers: [1, 2, 3] }), /size is not/],
      [(h) => Object.assign(h.kept, { positions: [] }), /compaction cannot be/],
      [(h) => Object.assign(h.kept, { length: 1e9 }), /compaction cannot be/],
      [(h) => Object.assign(h, { ids: h.ids.concat([1, 1, 1]) }), /damaged/],
    ];
    for (const [edit, message] of cases) expect(await attempt(edited(edit))).toMatch(message);
    // Any byte of the pages may be anything: never more than an error.
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.from(good);
      bytes[16 + header + ((i * 7919) % 200)]! ^= 1 << (i % 8);
      await attempt(bytes);
    }
    const other = await loadRandom({ headWidth: 16, layers: 3 });
    await expect(other.loadCache(file)).rejects.toThrow(/another model/);
    await expect(model.loadCache(join(folder, "none"))).rejects.toThrow(/no cache at/);
    await expect((await model.prefill(ids)).save(join(folder, "no/such/folder"))).rejects.toThrow();
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });
});
