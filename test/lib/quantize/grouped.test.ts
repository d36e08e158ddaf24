// Weights of 2 to 8 bits in groups, on a small random model: rows as they were stored, numbers as the definition has them, products
// near to them, a GGUF file that holds the same ones, and an adapter that learns over them. Oracle: the formula on stored rows, here.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hub, lora, type Model, rtn, type Tensor } from "../../../lib/index.ts";
import { storedBytes, unpacked } from "../../../lib/model/weights.ts";
import type { GroupedType } from "../../../lib/native.ts";
import { groupedOf } from "../../../lib/quantize/grouped.ts";
import { loadRandom } from "../model/temporary.ts";
import { rejection } from "../problem.ts";

const root = mkdtempSync(join(tmpdir(), "lensor-grouped-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const NAME = "blk.1.ffn_down.weight";
const ids = [1, 2, 3, 70, 9];
const all = [2, 3, 4, 5, 6, 8].flatMap((bits) =>
  [32, 64, 128].flatMap((group) => [true, false].map((symmetric) => ({ bits, group, symmetric }))),
);
/** What GGUF has no blocks for. */
const own = all.filter(
  ({ bits, group, symmetric }) => group !== 32 || (bits !== 4 && !(bits === 8 && symmetric)),
);
let base: Model;
/** How far fast products are from exact ones with the blocks of Q4_0. */
let usual: number;
beforeAll(async () => {
  base = await loadRandom({ width: 128, heads: 4, headWidth: 32, feedForward: 256 });
  const blocks = await base.quantize(rtn({ bits: 4, group: 32 }), { head: true });
  usual = far(await logits(blocks, "fast"), await logits(blocks, "exact"));
});

async function numbers(of: Model, name: string): Promise<Float32Array> {
  const tensor = unpacked(of, name);
  const data = ((await tensor.data()) as Float32Array).slice();
  tensor.dispose();
  return data;
}

async function logits(of: Model, compute: "exact" | "fast"): Promise<Float32Array> {
  return (await ((await of.forward(ids, { compute })).logits as Tensor).data()) as Float32Array;
}

function far(a: Float32Array, b: Float32Array): number {
  const size = Math.sqrt(b.reduce((sum, x) => sum + x * x, 0));
  return Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0)) / size;
}

function half(bits: number): number {
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

/** w = scale (code - 2^(bits-1)) or scale code + minimum, each step rounded to f32; bit i of a group's codes is bit i % 8 of byte i / 8. */
function decoded(stored: Uint8Array, type: GroupedType): Float32Array {
  const { bits, group, symmetric } = groupedOf(type)!;
  const [head, values] = [symmetric ? 2 : 4, [] as number[]];
  const size = head + (bits * group) / 8;
  const view = new DataView(stored.buffer, stored.byteOffset);
  for (let at = 0; at < stored.length; at += size) {
    const scale = half(view.getUint16(at, true));
    const minimum = symmetric ? 0 : half(view.getUint16(at + 2, true));
    for (let i = 0; i < group; i++) {
      let code = 0;
      for (let b = 0; b < bits; b++) {
        const bit = i * bits + b;
        code |= ((stored[at + head + (bit >> 3)]! >> (bit & 7)) & 1) << b;
      }
      const product = Math.fround(scale * (symmetric ? code - 2 ** (bits - 1) : code));
      values.push(Math.fround(product + minimum));
    }
  }
  return Float32Array.from(values);
}

describe("grouped integers", { timeout: 60_000 }, () => {
  it.each(own)("$bits bits, groups of $group, symmetric $symmetric", async (grid) => {
    const model = await base.quantize(rtn(grid), { head: true });
    const type = `${grid.symmetric ? "I" : "U"}${grid.bits}G${grid.group}` as GroupedType;
    expect(model.tensors.filter((one) => one.type === type)).toHaveLength(15);
    const stored = await storedBytes(model, NAME, type);
    const kept = await numbers(model, NAME);
    expect(stored.length).toBe(
      (kept.length / grid.group) * ((grid.symmetric ? 2 : 4) + (grid.group * grid.bits) / 8),
    );
    expect(kept).toEqual(decoded(stored, type));
    // Half a step of the group, and what f16 makes of the scale; the largest may lie half a step outside.
    const original = await numbers(base, NAME);
    for (let g = 0; g < kept.length; g += grid.group) {
      const [was, is] = [original.subarray(g, g + grid.group), kept.subarray(g, g + grid.group)];
      const reach = grid.symmetric
        ? 2 * Math.max(...was.map(Math.abs))
        : Math.max(0, ...was) - Math.min(0, ...was);
      const step = reach / (2 ** grid.bits - 1);
      const off = Math.max(...was.map((x, i) => Math.abs(x - is[i]!)));
      expect(off).toBeLessThan(0.5 * step + reach * 2e-3);
    }
    // Fast products round activations, weights are the same: of 8 bits 16 of them are kept.
    const exact = await logits(model, "exact");
    expect(far(await logits(model, "fast"), exact)).toBeLessThan(grid.bits === 8 ? 1e-3 : 1.5 * usual);
    model.dispose();
  });

  it.each(all)("of $bits bits, $group, symmetric $symmetric are the same numbers in GGUF", async (grid) => {
    const model = await base.quantize(rtn(grid));
    const path = join(root, "a.gguf");
    await model.save(path);
    const again = await hub.load(path);
    const { bits, symmetric } = grid;
    const types: Record<string, string> = symmetric
      ? { 2: "Q4_0", 3: "Q4_0", 4: "Q4_0", 5: "Q5_0", 6: "Q8_0", 8: "Q8_0" }
      : { 2: "Q4_1", 3: "Q4_1", 4: "Q4_1", 5: "Q5_1", 6: "F32", 8: "F32" };
    expect(again.tensors.find(({ name }) => name === NAME)!.type).toBe(types[bits]);
    for (const name of [NAME, "blk.0.attn_q.weight"])
      expect(await numbers(again, name)).toEqual(await numbers(model, name));
    expect(await logits(again, "exact")).toEqual(await logits(model, "exact"));
    for (const one of [model, again]) one.dispose();
  });

  it.each(all)(
    "of $bits bits, $group, symmetric $symmetric are the same bytes in a packed folder",
    async (grid) => {
      const model = await base.quantize(rtn(grid));
      const folder = join(root, `packed-${grid.bits}-${grid.group}-${grid.symmetric}`);
      await model.save(folder, { packed: true });
      const again = await hub.load(folder);
      const typesOf = ({ tensors }: Model) => new Map(tensors.map(({ name, type }) => [name, type]));
      expect(typesOf(again)).toEqual(typesOf(model));
      const type = typesOf(model).get(NAME)!;
      expect(await storedBytes(again, NAME, type)).toEqual(await storedBytes(model, NAME, type));
      expect(await logits(again, "fast")).toEqual(await logits(model, "fast"));
      for (const one of [model, again]) one.dispose();
    },
  );

  it("in a folder that is not what it says are refused", async () => {
    const model = await base.quantize(rtn({ bits: 3 }));
    const folder = join(root, "refused");
    await model.save(folder, { packed: true });
    const path = join(folder, "config.json");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replaceAll("I3G128", "I9G128"));
    expect(await rejection(() => hub.load(folder))).toContain("a type that lensor does not read");
    writeFileSync(path, text.replaceAll("I3G128", "I4G128"));
    expect(await rejection(() => hub.load(folder))).toContain("has the wrong shape");
    writeFileSync(path, text.replace(/"quant_method": "lensor"/, '"quant_method": "gptq"'));
    expect(await rejection(() => hub.load(folder))).toContain("quantization_config");
  });

  it("are a base that an adapter learns over: its gradients are those over the dequantized numbers", async () => {
    const model = await base.quantize(rtn({ bits: 3, group: 64 }));
    const path = join(root, "floats.gguf");
    await model.save(path, { dtype: "f32" });
    const floats = await hub.load(path);
    const gradients: Float32Array[][] = [];
    for (const of of [model, floats]) {
      const adapter = lora({ rank: 4, seed: 1 }).on(of);
      const loss = adapter.model().loss(ids);
      loss.backward();
      gradients.push(
        await Promise.all(
          adapter.parameters().map(async (one) => ((await one.grad!.data()) as Float32Array).slice()),
        ),
      );
    }
    const sizes = gradients[0]!.map((one) => Math.max(...one.map(Math.abs)));
    expect(Math.max(...sizes)).toBeGreaterThan(1e-6);
    for (const [i, one] of gradients[0]!.entries())
      if (sizes[i]! > 0) expect(far(one, gradients[1]![i]!)).toBeLessThan(1e-5);
  });

  it("take the largest group that fits; one that does not is refused, saying which do", async () => {
    const odd = await loadRandom({ width: 96, heads: 3, kvHeads: 1, headWidth: 32, feedForward: 192 });
    const types = new Map(
      (await odd.quantize(rtn({ bits: 3 }))).tensors.map(({ name, type }) => [name, type]),
    );
    expect([types.get("blk.0.attn_q.weight"), types.get(NAME)]).toEqual(["I3G32", "I3G64"]);
    const message = await rejection(() => odd.quantize(rtn({ bits: 3, group: 64 })));
    expect(message).toMatch(/groups do not divide the 96 columns of blk\.0\.attn_q\.weight/);
    expect(message).toContain("Expected a group of 32, got group 64");
  });
});
