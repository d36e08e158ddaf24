// model.quantize with rounding, on small random models: what is kept, what it occupies, what the report says, and what is
// refused. Oracle: the definition in float64, on the numbers that the model held.

import { beforeAll, describe, expect, it } from "vitest";
import { lora, type Model, rtn } from "../../../lib/index.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { loadRandom } from "../model/temporary.ts";
import { rejection } from "../problem.ts";

const NAME = "blk.1.ffn_down.weight";
let model: Model;
beforeAll(async () => {
  model = await loadRandom({ width: 64, heads: 4, headWidth: 16, feedForward: 96 });
});

async function numbers(of: Model, name: string): Promise<Float32Array> {
  const tensor = unpacked(of, name);
  const data = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return data.slice();
}

describe("model.quantize(rtn())", () => {
  it("puts each weight to the nearest number of its group", async () => {
    const before = await numbers(model, NAME);
    for (const symmetric of [true, false]) {
      const after = await numbers(await model.quantize(rtn({ bits: 4, group: 32, symmetric })), NAME);
      for (let g = 0; g < before.length; g += 32) {
        const group = before.subarray(g, g + 32);
        const most = Math.max(...group.map(Math.abs));
        const [low, high] = [Math.min(0, ...group), Math.max(0, ...group)];
        const scale = symmetric ? (2 * most) / 15 : (high - low) / 15;
        const offset = symmetric ? -8 * scale : low;
        for (let i = 0; i < 32; i++) {
          const code = Math.min(15, Math.max(0, (group[i]! - offset) / scale));
          const off = Math.abs(after[g + i]! - (offset + Math.round(code) * scale));
          // A code half way between two may go either way once the scale is an f16.
          const half = Math.abs((code % 1) - 0.5) < 0.01;
          expect(off).toBeLessThan(half ? 1.02 * scale : 0.02 * scale);
        }
      }
    }
  });

  it("leaves the model as it was, shares what it does not change, and says what each tensor is", async () => {
    const [bytes, before] = [model.bytes, await numbers(model, NAME)];
    const small = await model.quantize(rtn({ bits: 8, group: 32 }));
    expect(model.bytes).toBe(bytes);
    expect(await numbers(model, NAME)).toEqual(before);
    expect(small.bytes).toBeLessThan(0.6 * bytes);
    const types = new Map(small.tensors.map(({ name, type }) => [name, type]));
    expect(types.get(NAME)).toBe("Q8_0");
    expect(types.get("token_embd.weight")).toBe("F32");
    expect(types.get("blk.0.attn_norm.weight")).toBe("F32");
    const whole = await model.quantize(rtn({ bits: 8, group: 32 }), { head: true });
    expect(whole.tensors.find(({ name }) => name === "token_embd.weight")!.type).toBe("Q8_0");
    expect(await whole.generate("the", { maxTokens: 4 })).toHaveProperty("tokens.length", 4);
  });

  it("reports each matrix: type, bits, bytes and what it lost", async () => {
    const small = await model.quantize(rtn({ bits: 4, group: 32 }));
    const report = small.report();
    expect(report.rows.map(({ tensor }) => tensor)).toEqual(
      small.tensors.map(({ name }) => name).filter((name) => /attn_[qkvo]|ffn_(gate|up|down)/.test(name)),
    );
    const row = report.rows.find(({ tensor }) => tensor === NAME)!;
    const [w, v] = [await numbers(model, NAME), await numbers(small, NAME)];
    const sum = (pick: (i: number) => number) => w.reduce((all, _, i) => all + pick(i) ** 2, 0);
    const error = Math.sqrt(sum((i) => v[i]! - w[i]!) / sum((i) => w[i]!));
    expect(row.error).toBeGreaterThan(0.01);
    expect(Math.abs(row.error / error - 1)).toBeLessThan(1e-4);
    expect(row).toMatchObject({
      type: "Q4_0",
      gguf: "Q4_0",
      bits: 4.5,
      bytes: (w.length * 18) / 32,
      group: 32,
    });
    expect(report.table().numRows).toBe(14);
    expect(report.bytes).toBe(small.bytes);
    expect(small.provenance!.options).toMatchObject({ method: "rtn", bits: 4, group: 32, head: false });
    expect((await small.copy()).report()).toBe(report);
  });

  it("refuses what is no method, what does not fit, and a report of what nothing made", async () => {
    const quantize = async (options: object) => model.quantize(rtn(options));
    expect(await rejection(() => model.quantize({} as never))).toContain("takes a method");
    expect(await rejection(() => model.prune(rtn()))).toContain("which is for model.quantize");
    expect(await rejection(() => quantize({ bits: 7 }))).toContain("bits is wrong");
    expect(await rejection(() => quantize({ bit: 4 }))).toContain('no option "bit"');
    const lower = model.quantize(rtn({ bits: 4, group: 32 }), { precision: "f16" as never });
    expect(await rejection(() => lower)).toContain("precision");
    const odd = await loadRandom({ width: 40 });
    expect(await rejection(() => odd.quantize(rtn({ bits: 4, group: 32 })))).toContain("do not divide");
    expect(await rejection(() => model.report())).toContain("There is no report");
    const tuned = lora({ rank: 2 }).on(model).model();
    expect(await rejection(() => tuned.quantize(rtn()))).toContain("Merge it first");
  });

  it("ends where its signal says so, and leaves nothing behind", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    expect(await rejection(() => model.quantize(rtn({ bits: 4, group: 32 }), { signal }))).toBe("enough");
  });
});
