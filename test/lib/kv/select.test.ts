// What every method of selection keeps to, kvpress or not: no more than there is room for, whatever the cache holds already.

import { beforeAll, describe, expect, it } from "vitest";
import type { Model } from "../../../lib/index.ts";
import * as lensor from "../../../lib/index.ts";
import type { HeadPlan, Method, Source } from "../../../lib/kv/method.ts";
import { loadRandom } from "../model/temporary.ts";
import { madeRoom, madeSource, randomLayer, thinned } from "./made-source.ts";

const shape = { heads: 4, kvHeads: 2, length: 150, headWidth: 8, repeated: 40 };
const METHODS: [string, () => Method][] = [
  ["streaming", () => lensor.streaming()],
  ["slidingWindow", () => lensor.slidingWindow()],
  ["h2o", () => lensor.h2o()],
  ["snapKV", () => lensor.snapKV()],
  ["tova", () => lensor.tova()],
  ["knorm", () => lensor.knorm()],
  ["keyDiff", () => lensor.keyDiff()],
  ["pyramidKV", () => lensor.pyramidKV({ window: 4, beta: 3 })],
  ["adaKV", () => lensor.adaKV()],
  ["adaKV", () => lensor.adaKV(lensor.h2o(), { safeguard: 0 })],
  ["expectedAttention", () => lensor.expectedAttention()],
  ["kvzip", () => lensor.kvzip()],
  ["kvzip", () => lensor.kvzip({ layerwise: true, perHead: 30 })],
  ["duoAttention", () => lensor.duoAttention({ sinks: 4, recent: 12 })],
  ["duoAttention", () => lensor.duoAttention({ sinks: 4, recent: 12, heads: "distance" })],
  ["buzz", () => lensor.buzz({ recent: 8 })],
  ["merging", () => lensor.merging(lensor.snapKV())],
  ["d2o", () => lensor.d2o()],
  ["cam", () => lensor.cam()],
  ["snapKV + knorm", () => lensor.pipe(lensor.snapKV(), lensor.knorm())],
];

let model: Model;
let whole: Source;
let ragged: Source;
beforeAll(async () => {
  model = await loadRandom({ layers: 3 });
  const layers = [1, 2, 3].map((seed) => randomLayer(shape, seed));
  whole = madeSource(layers, { model, seed: 5 });
  ragged = madeSource(layers.map(thinned), { model, seed: 5 });
});

const heldBy = (source: Source) =>
  Array.from({ length: source.layers }, (_, layer) => source.layer(layer).counts);

for (const kind of ["whole", "ragged, biased"] as const)
  describe(`of a ${kind} cache`, () => {
    const the = () => (kind === "whole" ? whole : ragged);
    for (const [i, [name, make]] of METHODS.entries())
      it(`${name} (${i}) keeps what there is room for, ascending, and no more`, async () => {
        expect(make().name).toBe(name);
        const held = heldBy(the());
        const all = held.flat().reduce((sum, count) => sum + count, 0);
        for (const ratio of [1, 1.5, 4, 9]) {
          const room = madeRoom(the(), ratio);
          const { heads } = await make().at(ratio).plan(the(), room);
          const counts = heads!.map((layer) => layer.map(({ keep }) => keep.length));
          const total = counts.flat().reduce((sum, count) => sum + count, 0);
          expect(total).toBeLessThanOrEqual(room.keys(kind !== "whole"));
          // Rounding down costs at most a key a head, and a stage of a pipe.
          expect(total).toBeGreaterThanOrEqual(Math.floor(all / ratio) - 2 * counts.flat().length);
          heads!.forEach((layer, l) => {
            layer.forEach((plan, h) => {
              check(plan, held[l]![h]!, kind !== "whole");
            });
          });
        }
      });

    it("without loss there is nothing to choose: every method keeps everything at 1x", async () => {
      for (const [, make] of METHODS) {
        const { heads } = await make().at(1).plan(the(), madeRoom(the(), 1));
        expect(heads!.map((layer) => layer.map(({ keep }) => keep.length))).toEqual(heldBy(the()));
      }
    });
  });

function check(plan: HeadPlan, held: number, biased: boolean): void {
  const { keep, bias, keys, values } = plan;
  expect([...keep]).toEqual([...new Set(keep)].sort((a, b) => a - b));
  if (keep.length > 0) expect(keep[0]).toBeGreaterThanOrEqual(0);
  if (keep.length > 0) expect(keep.at(-1)).toBeLessThan(held);
  expect(bias?.length).toBe(biased ? keep.length : undefined);
  for (const rows of [keys, values]) if (rows) expect(rows.shape).toEqual([keep.length, shape.headWidth]);
}

describe("sinks and the last tokens", () => {
  it("stay, and where they would take everything, half of it", async () => {
    const method = lensor.streaming();
    const plan = async (ratio: number) => [
      ...(await method.plan(whole, madeRoom(whole, ratio))).heads![0]![0]!.keep,
    ];
    expect(await plan(10)).toEqual([0, 1, 2, 3, ...Array.from({ length: 11 }, (_, i) => 139 + i)]);
    expect(await plan(50)).toEqual([0, 1, 149]);
    const window = lensor.snapKV({ window: 64 });
    const kept = (await window.plan(whole, madeRoom(whole, 10))).heads![0]![0]!.keep;
    // 15 keys do not hold the 64: 7 of them are the last, the others chosen by what the window attends to.
    expect([...kept].slice(-7)).toEqual([143, 144, 145, 146, 147, 148, 149]);
    expect(kept[7]).toBeLessThan(143);
  });
});

describe("a pipe", () => {
  const { pipe, snapKV, knorm, h2o, streaming } = lensor;
  it("multiplies ratios; what is missing goes to those without, or to the last", () => {
    const ratios = (method: Method) =>
      (method.options.methods as { ratio?: number }[]).map(({ ratio }) => ratio);
    expect(pipe(snapKV({ ratio: 4 }), knorm({ ratio: 2 })).ratio).toBe(8);
    expect(pipe(snapKV({ ratio: 4 }), knorm()).ratio).toBeUndefined();
    expect(ratios(pipe(snapKV({ ratio: 4 }), knorm(), { ratio: 20 }))).toEqual([4, 5]);
    expect(ratios(pipe(snapKV({ ratio: 4 }), knorm({ ratio: 2 })).at(20))).toEqual([4, 5]);
    expect(ratios(pipe(snapKV(), knorm({ ratio: 2 })).at(20))).toEqual([10, 2]);
    expect(ratios(pipe(snapKV(), knorm()).at(16))).toEqual([4, 4]);
    expect(pipe(snapKV({ ratio: 4 }), knorm(), { ratio: 20 }).name).toBe("snapKV + knorm");
  });
  it("gives the second method what the first leaves", async () => {
    const first = await streaming({ ratio: 2 }).plan(whole, madeRoom(whole, 2));
    const both = await pipe(streaming({ ratio: 2 }), knorm({ ratio: 3 })).plan(whole, madeRoom(whole, 6));
    const places = Array.from({ length: shape.length }, (_, j) => j);
    for (const [layer, plans] of both.heads!.entries()) {
      const norms = (await whole.layer(layer).keys.pow(2).sum(-1).array()) as number[][];
      for (const [h, { keep }] of plans.entries()) {
        const left = new Set(first.heads![layer]![h]!.keep);
        const small = places.filter((j) => left.has(j)).sort((a, b) => norms[h]![a]! - norms[h]![b]!);
        expect([...keep]).toEqual(small.slice(0, 25).sort((a, b) => a - b));
      }
    }
  });
  it("carries merged values through a second selection", async () => {
    const merged = await lensor.merging(h2o({ ratio: 2 })).plan(whole, madeRoom(whole, 2));
    const both = await pipe(lensor.merging(h2o({ ratio: 2 })), streaming({ ratio: 5 })).plan(
      whole,
      madeRoom(whole, 10),
    );
    const [before, after] = [merged.heads![1]![0]!, both.heads![1]![0]!];
    const values = (await before.values!.array()) as number[][];
    const wanted = [...after.keep].map((j) => values[before.keep.indexOf(j)]);
    expect(await after.values!.array()).toEqual(wanted);
  });
  it("refuses what is no method, and a ratio below what its methods take", () => {
    expect(() => pipe(snapKV as never, knorm())).toThrow("pipe takes methods");
    expect(() => pipe()).toThrow("pipe takes methods");
    expect(() => pipe(snapKV({ ratio: 4 }), knorm()).at(3)).toThrow("less than its methods");
  });
});

describe("options that cannot be", () => {
  const { snapKV, streaming, kvzip, adaKV, duoAttention, full, cam, d2o, merging } = lensor;
  it("are named at the call", () => {
    expect(() => snapKV({ ratio: 0.5 })).toThrow("ratio is wrong");
    expect(() => snapKV().at(0.9)).toThrow("ratio is wrong");
    expect(() => snapKV({ kernel: 4 })).toThrow("odd");
    expect(() => snapKV({ windw: 3 } as never)).toThrow('no option "windw"');
    expect(() => streaming({ sinks: -1 })).toThrow("sinks is wrong");
    expect(() => kvzip({ perHead: 0 })).toThrow("perHead is wrong");
    expect(() => cam({ budget: 0 })).toThrow("budget is wrong");
    expect(() => d2o(lensor.h2o(), { threshold: 2 })).toThrow("threshold is wrong");
    expect(() => adaKV(full())).toThrow("scores");
    expect(() => merging(full())).toThrow("evicts");
    expect(() => duoAttention({ heads: "all" } as never)).toThrow("heads is wrong");
  });
  it("or when the text is known", async () => {
    const room = madeRoom(whole, 2);
    await expect(snapKV({ window: 150 }).plan(whole, room)).rejects.toThrow("window is as long as the text");
    await expect(snapKV().plan(whole, madeRoom(whole, 151))).rejects.toThrow("less than one key a head");
    await expect(duoAttention({ heads: [[1]] }).plan(whole, room)).rejects.toThrow("heads is wrong");
  });
});

it("work that is stopped says so and makes no plan", async () => {
  const stopped = madeSource([randomLayer(shape, 1), randomLayer(shape, 2)], {
    progress: () => {
      throw new Error("stopped");
    },
  });
  await expect(lensor.h2o().plan(stopped, madeRoom(stopped, 2))).rejects.toThrow("stopped");
});
