// Students made of some of a model's layers and heads, and what distillation does to them. Small random models. Oracles: the
// network's own places for what a layer dropped leaves, jensenShannon on whole logits for the first loss.

import { beforeAll, describe, expect, it } from "vitest";
import { jensenShannon } from "../../../lib/align/divergence.ts";
import { gkd, type Model } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

const texts = ["the and the and the", "and then the band", "a hand in the sand", "the land and the end"];
const column = (table: { getChild(name: string): unknown }, name: string) => [
  ...(table.getChild(name) as Iterable<number>),
];
const logitsOf = async (model: Model, text: string) => (await model.forward(text)).logits;

describe("a student", () => {
  let teacher: Model;
  beforeAll(async () => {
    teacher = await loadRandom({ layers: 4, end: true });
  });

  it("of all layers and heads is its teacher", async () => {
    const same = await teacher.student({});
    const difference = (await logitsOf(same, "the band")).sub(await logitsOf(teacher, "the band"));
    expect(Number(await difference.abs().max().item())).toBeLessThan(1e-4);
  });

  it("without its last layers says what the stream there says", async () => {
    const short = await teacher.student({ layers: [0, 1] });
    const trace = await teacher.trace("the band");
    const own = await short.trace("the band");
    const difference = own.residual(2).sub(trace.residual(2)).abs().max();
    expect(Number(await difference.item())).toBeLessThan(1e-4);
    expect(short.config).toMatchObject({ layers: 2, kvHeads: 2, heads: 4 });
    expect(short.config.parameters).toBeLessThan(teacher.config.parameters);
  });

  it("keeps the heads that it is told, with the queries that read them", async () => {
    const half = await teacher.student({ kvHeads: [1] });
    expect(half.config).toMatchObject({ layers: 4, kvHeads: 1, heads: 2 });
    const [own, whole] = [await half.trace("the band"), await teacher.trace("the band")];
    // The first layer reads the same stream, so its two heads look where the teacher's last two do.
    const difference = own
      .attention({ layer: 0 })
      .weights.sub(whole.attention({ layer: 0 }).weights.at([2, 4]))
      .abs()
      .max();
    expect(Number(await difference.item())).toBeLessThan(1e-5);
  });

  it("is refused where there are no such layers", async () => {
    await expect(teacher.student({ layers: 5 })).rejects.toThrow(/layers is wrong\nExpected how many of 4/);
    await expect(teacher.student({ layers: [2, 1] })).rejects.toThrow(/ascending from 0 to 3, got \[2, 1\]/);
    await expect(teacher.student({ kvHeads: [] })).rejects.toThrow(/kvHeads is wrong/);
  });
});

describe("distillation", () => {
  let teacher: Model;
  beforeAll(async () => {
    teacher = await loadRandom({ layers: 4, end: true });
  });
  /** How far a model is from the teacher on a text. */
  const distance = async (one: Model) => {
    const [own, other] = [await logitsOf(one, texts[0]!), await logitsOf(teacher, texts[0]!)];
    return Number(await jensenShannon(own, other).mean().item());
  };
  const options = { steps: 15, batch: 4, lr: 0.01, seed: 1 };

  for (const method of [
    gkd(),
    gkd({ beta: 0 }),
    gkd({ beta: 1, temperature: 2 }),
    gkd({ hidden: 0.1, labels: 0.1 }),
  ])
    it(`${JSON.stringify(method.options)} brings the student nearer`, async () => {
      const student = await teacher.student({ layers: 2 });
      const run = teacher.distill(student, texts, method, options);
      const taught = await run;
      expect(taught.config).toEqual(student.config);
      expect(await distance(taught)).toBeLessThan(await distance(student));
      const divergences = column(run.history, "divergence");
      expect(divergences.at(-1)!).toBeLessThan(0.7 * divergences[0]!);
      if (method.options.hidden) {
        const states = column(run.history, "hidden");
        expect(states.at(-1)!).toBeLessThan(states[0]!);
      }
    });

  it("begins at the divergence of whole logits, and leaves the teacher as it is", async () => {
    const text = "the land and the end of the sand and the band ".repeat(3);
    const student = await teacher.student({ layers: 2 });
    const [own, other] = [await logitsOf(student, text), await logitsOf(teacher, text)];
    const rows = own.shape[0]! - 1;
    const wanted = jensenShannon(own.at([0, rows]), other.at([0, rows]), { beta: 0.3 }).mean();
    const run = teacher.distill(student, [text], gkd({ beta: 0.3 }), { ...options, steps: 2, batch: 1 });
    await run;
    expect(column(run.history, "loss")[0]).toBeCloseTo(Number(await wanted.item()), 4);
    const after = (await logitsOf(teacher, text)).sub(other).abs().max();
    expect(Number(await after.item())).toBe(0);
  });

  it("on the student's own texts", async () => {
    const student = await teacher.student({ layers: 2 });
    const own = gkd({ onPolicy: 1 });
    const taught = await teacher.distill(student, texts, own, { ...options, steps: 30, length: 24 });
    expect(await distance(taught)).toBeLessThan(await distance(student));
  });

  it("says what is wrong", async () => {
    const student = await teacher.student({ layers: 2 });
    const other = await loadRandom({ vocabulary: 320 });
    expect(() => teacher.distill(teacher, texts, gkd())).toThrow(/needs a student.*got the teacher itself/s);
    expect(() => teacher.distill(other, texts, gkd())).toThrow(/knows other tokens/);
    expect(() => teacher.distill(student, texts, "gkd" as never)).toThrow(/needs a method/);
    expect(() => gkd({ beta: 2 })).toThrow(/beta is wrong/);
  });
});
