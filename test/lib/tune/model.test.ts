// A base and an adapter as a Model: at first it is the base to the bit, then the packed pass computes what the differentiable
// network does (tolerance 1e-4 of logits of about one), and the base's bytes stay as they are. Merging and its way back: 1e-5.
// Against PEFT's own numbers: peft.test.ts.

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Adapter, ia3, LensorError, lora, type Model, optim } from "../../../lib/index.ts";
import { expectedTensors } from "../../../lib/model/config.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { loadRandom } from "../model/temporary.ts";
import { disturbed } from "./disturbed.ts";

const ids = [5, 17, 3, 99, 42, 8, 250, 1, 77, 12];

const kinds: [string, { on(model: Model): Adapter }][] = [
  ["LoRA", lora({ rank: 3, seed: 1 })],
  ["rsLoRA", lora({ rank: 9, rslora: true, targets: ["q_proj", "blk.1.ffn_*"], seed: 1 })],
  ["DoRA", lora({ rank: 3, dora: true, seed: 1 })],
  ["IA3", ia3()],
];

const logits = async (model: Model, compute: "exact" | "fast" = "exact") =>
  (await (await model.forward(ids, { compute })).logits.data()) as Float32Array;
const far = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
/** Of every weight as it is packed now. */
async function fingerprint(model: Model): Promise<string> {
  const hash = createHash("sha256");
  for (const name of expectedTensors(model.config).keys())
    hash.update((await unpacked(model, name).data()) as Float32Array);
  return hash.digest("hex");
}

for (const types of ["F32", "Q4_1"] as const)
  describe(`beside a base in ${types}`, () => {
    let base: Model;
    beforeAll(async () => {
      base = await loadRandom({ types, width: 64, feedForward: 96, headWidth: 16 });
    });

    for (const [name, kind] of kinds)
      describe(name, () => {
        it("at first is the base to the bit, in both modes and where it learns", async () => {
          const tuned = kind.on(base).model();
          for (const compute of ["exact", "fast"] as const)
            expect(await logits(tuned, compute)).toEqual(await logits(base, compute));
          for (const precision of ["f32", "bf16"] as const)
            expect(await tuned.loss(ids, { precision }).item()).toBe(
              await base.loss(ids, { precision }).item(),
            );
          const options = { temperature: 0, maxTokens: 9 };
          expect((await tuned.generate(ids, options)).logprobs).toEqual(
            (await base.generate(ids, options)).logprobs,
          );
        });

        it("computes the same packed as where it learns, in pieces and token by token too", async () => {
          const before = await logits(base);
          const tuned = disturbed(kind.on(base)).model();
          const packed = await logits(tuned);
          const learnt = (await (await tuned.forward(ids, { hooks: {} })).logits.data()) as Float32Array;
          expect(far(packed, learnt)).toBeLessThan(1e-4);
          expect(far(packed, before)).toBeGreaterThan(0.05);
          expect(await logits(base)).toEqual(before);
          for (const compute of ["exact", "fast"] as const) {
            const cache = await tuned.prefill(ids.slice(0, 6), { compute });
            const rest: number[] = [];
            for (const id of ids.slice(6))
              rest.push(...((await (await tuned.forward([id], { cache })).logits.data()) as Float32Array));
            const whole = await logits(tuned, compute);
            expect(Float32Array.from(rest)).toEqual(whole.slice(6 * base.config.vocabulary));
          }
        });

        it("merged gives the same logits, and unmerged the base's weights to 1e-5", async () => {
          const adapter = disturbed(kind.on(base));
          const merged = await adapter.merge();
          expect(far(await logits(merged), await logits(adapter.model()))).toBeLessThan(1e-4);
          const alone = await adapter.unmerge(merged);
          for (const weight of adapter.parts.keys()) {
            const [now, then] = await Promise.all(
              [alone, base].map((one) => unpacked(one, weight).data() as Promise<Float32Array>),
            );
            expect(far(now!, then!), weight).toBeLessThan(1e-5);
          }
          expect(far(await logits(alone), await logits(base))).toBeLessThan(1e-4);
        });

        it("learns, and the base's bytes are untouched: a quantized one stays quantized", async () => {
          const [before, bytes] = [await fingerprint(base), base.bytes];
          const adapter = kind.on(base);
          const tuned = adapter.model();
          const optimizer = optim.adamw(adapter.parameters(), { lr: 0.01 });
          const losses: number[] = [];
          for (let step = 0; step < 12; step++) {
            const loss = base.loss(ids, { adapter });
            losses.push(Number(await loss.item()));
            optimizer.zeroGrad();
            loss.backward();
            optimizer.step();
          }
          expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
          expect(Number(await tuned.loss(ids).item())).toBeLessThan(0.8 * losses[0]!);
          expect(await fingerprint(base)).toBe(before);
          expect(base.bytes).toBe(bytes);
          expect(base.tensors.find(({ name }) => name.endsWith("attn_q.weight"))!.type).toBe(types);
        });
      });

    it("adapters stand on adapters: what is learnt beside a tuned model leaves that as it is", async () => {
      for (const [first, second] of [
        [lora({ rank: 2, seed: 1 }), lora({ rank: 3, seed: 2 })],
        [lora({ rank: 2, seed: 1, dora: true }), ia3()],
        [ia3(), lora({ rank: 3, seed: 2, dora: true })],
      ] as const) {
        const once = disturbed(first.on(base)).model();
        const before = await logits(once);
        const fresh = second.on(once);
        expect(far(await logits(fresh.model()), before)).toBeLessThan(1e-6);
        const twice = disturbed(fresh).model();
        const packed = await logits(twice);
        const learnt = (await (await twice.forward(ids, { hooks: {} })).logits.data()) as Float32Array;
        expect(far(packed, learnt)).toBeLessThan(1e-4);
        expect(far(packed, before)).toBeGreaterThan(0.05);
        expect(await logits(once)).toEqual(before);
        expect(far(await logits(await fresh.merge()), packed)).toBeLessThan(1e-4);
      }
    });
  });

describe("a tuned model", () => {
  it("does what a Model does: a trace, perplexity, chat's tokens, a cache of its own", async () => {
    const base = await loadRandom({ types: "Q4_0", width: 64, feedForward: 96, headWidth: 16 });
    const tuned = disturbed(lora({ seed: 1 }).on(base)).model();
    const trace = await tuned.trace(ids);
    const last = (await trace.residual(base.config.layers).data()) as Float32Array;
    const other = (await (await base.trace(ids)).residual(base.config.layers).data()) as Float32Array;
    expect(far(last, other)).toBeGreaterThan(0.05);
    const cache = await tuned.prefill(ids);
    await expect(base.generate([1], { cache })).rejects.toThrow(/cache belongs to another model/);
    const [whole, on] = [
      await tuned.generate([...ids, 1], { temperature: 0, maxTokens: 5 }),
      await tuned.generate([1], { cache, temperature: 0, maxTokens: 5 }),
    ];
    expect(on.tokens).toEqual(whole.tokens);
    expect(tuned.name).toContain("lora");
  });

  it("follows what its adapter learns, and outlives its base", async () => {
    const base = await loadRandom();
    const adapter = lora({ seed: 1 }).on(base);
    const tuned = adapter.model();
    const before = await logits(tuned);
    disturbed(adapter);
    const after = await logits(tuned);
    expect(far(after, before)).toBeGreaterThan(0.01);
    base.dispose();
    expect(await logits(tuned)).toEqual(after);
  });

  it("an adapter goes on as a copy of its own", async () => {
    const base = await loadRandom();
    const first = disturbed(lora({ seed: 1, dora: true }).on(base));
    const second = first.on(base);
    expect(await second.fingerprint()).toBe(await first.fingerprint());
    expect(await logits(second.model())).toEqual(await logits(first.model()));
    const before = await first.fingerprint();
    disturbed(second);
    expect(await first.fingerprint()).toBe(before);
    expect(await second.fingerprint()).not.toBe(before);
  });

  it("its caches are no caches of the base, in files too", async () => {
    const base = await loadRandom();
    const folder = mkdtempSync(join(tmpdir(), "lensor-tune-"));
    const [one, other] = [disturbed(lora({ seed: 1 }).on(base)), disturbed(lora({ seed: 2 }).on(base))];
    const file = join(folder, "cache");
    await (await one.model().prefill(ids)).save(file);
    expect((await one.model().loadCache(file)).length).toBe(ids.length);
    for (const stranger of [base, other.model()])
      await expect(stranger.loadCache(file)).rejects.toThrow(/belongs to another model/);
    rmSync(folder, { recursive: true });
  });

  it("whose every number is to learn has its adapter inside them", async () => {
    const base = await loadRandom();
    const tuned = disturbed(lora({ seed: 1 }).on(base)).model();
    const before = await logits(tuned);
    const [first] = tuned.parameters();
    expect(tuned.adapter).toBeUndefined();
    expect(far(await logits(tuned), before)).toBeLessThan(1e-4);
    first!.assign(first!.mul(2));
    expect(far(await logits(tuned), before)).toBeGreaterThan(0.01);
  });

  it("an adapter of another model, and targets that fit nothing, are told", async () => {
    const [one, other] = [await loadRandom(), await loadRandom()];
    const adapter = lora().on(one);
    expect(() => other.loss(ids, { adapter })).toThrow(/belongs to another model/);
    expect(() => lora({ targets: ["attn_x"] })).toThrow(/names no linear layer.*got "attn_x"/s);
    expect(() => lora({ targets: ["blk.9.*"] }).on(one)).toThrow(/fit nothing.*blocks up to 1/s);
    expect(() => lora({ targets: [] })).toThrow(LensorError);
    await expect(adapter.unmerge(await loadRandom({ layers: 1 }))).rejects.toThrow(/not in this model/);
    expect(
      lora({ targets: [/^blk\.1\.attn/] })
        .on(one)
        .parameters(),
    ).toHaveLength(8);
  });
});
