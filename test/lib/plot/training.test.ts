// A run's figure, runs side by side and a search for a rate as data: findings, what is marked, axes that stand still. No screen.

import { describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../../lib/plot/figure.ts";
import { rateFigure } from "../../../lib/plot/rate.ts";
import { runsFigure } from "../../../lib/plot/runs.ts";
import { type TrainingInput, trainingFigure } from "../../../lib/plot/training.ts";
import { smoothed, thinned } from "../../../lib/plot/training-parts.ts";
import type { Row } from "../../../lib/train/journal.ts";

const title = (spec: PlotlySpec) => (spec.layout.meta as { title: string }).title;
const random = (i: number) => Math.abs((Math.sin(i * 12.9898) * 43758.5453) % 1);
const rowsOf = (count: number, steps: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ step: i + 1, loss: 2.4 + Math.exp(-i / 40) + 0.3 * random(i), lr: 2e-4, gradNorm: 1 + random(i) },
    ...{
      tokensPerSecond: 400,
      evalLoss: (i + 1) % (steps / 10) === 0 ? 2.5 + Math.exp(-i / 45) : null,
      reward: i,
    },
  }));

function input(count: number, change: Partial<TrainingInput> = {}, steps = 200): TrainingInput {
  return {
    facts: {
      ...{ call: "model.finetune", name: "m", objective: "nextToken", steps, columns: [], panels: {} },
      provenance: { model: "m", options: {}, versions: { lensor: "0", node: "0", isa: "scalar" } },
    },
    ...{
      rows: rowsOf(count, steps),
      marks: [],
      undone: [],
      startLoss: 3.5,
      startReward: null,
      parts: 1,
      seconds: 100,
      state: "done",
    },
    ...change,
  };
}

describe("a run's title", () => {
  test("says what the held-out loss did, and in perplexity", () => {
    expect(title(trainingFigure(input(200)))).toBe(
      "Held-out loss fell from 3.50 to 2.51: perplexity down 62.8 %",
    );
  });

  test("without anything held out says it of the loss", () => {
    const plain = input(200, {
      startLoss: null,
      rows: rowsOf(200, 200).map((row) => ({ ...row, evalLoss: null })),
    });
    expect(title(trainingFigure(plain))).toMatch(/^Loss fell from 3\.\d+ to 2\.\d+$/);
  });

  test("tells how long it still takes, what ended it, and what failed", () => {
    expect(title(trainingFigure(input(50, { state: "running" })))).toMatch(/; about 5 min left$/);
    expect(title(trainingFigure(input(50, { state: "paused" })))).toMatch(/; paused$/);
    const marks = [{ step: 50, kind: "stopped" as const, text: "the disk is full" }];
    expect(title(trainingFigure(input(50, { state: "stopped", marks })))).toMatch(
      /; stopped at step 50: the disk is full$/,
    );
    expect(title(trainingFigure(input(50, { state: "failed" })))).toMatch(
      /^Failed after step 50; held-out loss fell/,
    );
    expect(title(trainingFigure(input(0, { state: "running" })))).toBe("200 steps are to come");
  });
});

describe("a run's axes", () => {
  test("stand still while it is live: across from the start, up and down in few jumps", () => {
    const ranges = Array.from({ length: 195 }, (_, i) => {
      const { layout } = trainingFigure(input(i + 5, { state: "running" }));
      expect((layout.xaxis as { range: number[] }).range).toEqual([0, 200]);
      return JSON.stringify((layout.yaxis as { range: number[] }).range);
    });
    expect(ranges.filter((range, i) => i > 0 && range !== ranges[i - 1]).length).toBeLessThan(12);
  });

  test("a peak leaves them, and the rest can still be seen", () => {
    const rows = rowsOf(200, 200).map((row) => (row.step === 150 ? { ...row, loss: 500 } : row));
    const { layout } = trainingFigure(input(200, { rows }));
    expect((layout.yaxis as { range: number[] }).range[1]).toBeLessThan(6);
  });
});

test("what happened is marked where it did, what was taken back stays to be seen", () => {
  const marks = [
    { step: 0, kind: "skipped" as const, text: "3 pairs left out" },
    { step: 129, kind: "spike" as const, text: "" },
    { step: 129, kind: "rollback" as const, text: "back to step 120" },
  ];
  const undone = [{ ...rowsOf(1, 200)[0]!, step: 129, loss: 50 }];
  const { data, layout } = trainingFigure(input(200, { marks, undone }));
  const texts = (layout.annotations as { text: string }[]).map(({ text }) => text);
  expect(texts.filter((text) => text === "spike, back").length).toBe(1);
  expect(texts.some((text) => /left out/.test(text))).toBe(false);
  expect((layout.shapes as unknown[]).length).toBe(1);
  expect(data.some((trace) => (trace.x as number[]).join() === "129")).toBe(true);
});

test("an objective's own numbers have a panel each; progress is a bar while it goes", () => {
  const facts = { ...input(0).facts, panels: { reward: "reward, mean of a batch" } };
  const with_ = trainingFigure(input(100, { facts, state: "running" })).layout;
  expect(with_.yaxis4).toBeDefined();
  expect(trainingFigure(input(100)).layout.yaxis4).toBeUndefined();
  expect((with_.shapes as { x1: number }[]).map(({ x1 }) => x1)).toEqual([1, 0.5]);
});

test("where rewards are learnt from, they and those held out stand in the place of the loss", () => {
  const facts = { ...input(0).facts, columns: ["reward", "evalReward"] };
  const rows = rowsOf(100, 100).map((row, i) => ({
    ...{ ...row, loss: 1e-3, evalLoss: null, reward: 0.2 + i / 200 },
    ...((i + 1) % 20 === 0 && { evalReward: 0.1 + i / 100 }),
  }));
  const none = { facts, rows, startLoss: null };
  const { data, layout } = trainingFigure(input(0, { ...none, startReward: 0.15 }, 100));
  const points = data.find(
    ({ mode, hovertemplate }) => mode === "markers" && /held out/.test(String(hovertemplate)),
  )!;
  expect(points.x).toEqual([0, 20, 40, 60, 80, 100]);
  expect(points.y).toEqual([0.15, 0.29, 0.49, 0.69, 0.89, 1.09]);
  expect(title({ data, layout })).toBe("Held-out reward rose from 0.150 to 1.09");
  const texts = (layout.annotations as { text: string }[]).map(({ text }) => text);
  expect(texts[0]).toBe("<b>reward</b>, mean over replies, of the steps (line) and held out (points)");
  expect(texts.some((text) => text.endsWith("1.09"))).toBe(true);
  const plain = trainingFigure(input(0, { ...none, startReward: null }, 100));
  expect(title(plain)).toMatch(/^Mean reward rose from 0\.2/);
});

test("a long run is small, and keeps its peaks", () => {
  const rows = rowsOf(50_000, 50_000).map((row) => (row.step === 33_333 ? { ...row, loss: 99 } : row));
  expect(JSON.stringify(trainingFigure(input(0, { rows }, 50_000))).length).toBeLessThan(200_000);
  expect(thinned(rows).some(({ loss }) => loss === 99)).toBe(true);
  expect(smoothed(rows.slice(0, 100), 50_000)).toEqual(smoothed(rows, 50_000).slice(0, 100));
});

test("runs side by side name the one that ends lowest", () => {
  const one = (name: string, offset: number) => {
    const rows = rowsOf(100, 100).map((row) => ({ ...row, evalLoss: row.evalLoss && row.evalLoss + offset }));
    return { name, journal: input(0, { rows }, 100) };
  };
  const spec = runsFigure([one("a", 0.5), one("b", 0), one("<c>", 1)]);
  expect(title(spec)).toMatch(/^b ends lowest: held-out loss 2\.\d+, next a 3\.\d+$/);
  const annotations = spec.layout.annotations as { text: string }[];
  expect(annotations.length).toBe(3);
  expect(annotations.some(({ text }) => text.includes("<c>"))).toBe(false);
  expect(title(runsFigure([{ name: "a", journal: input(0, { startLoss: null }) }]))).toMatch(
    /None of the runs/,
  );
});

test("a search for a rate says which, and where the loss ran away", () => {
  const rows = rowsOf(40, 200).map((row, i) => ({ ...row, lr: 1e-5 * 10 ** (i / 8) }));
  const parts = { rows, smooth: smoothed(rows, 40), rate: 1e-3, model: "m" };
  expect(title(rateFigure({ ...parts, limit: 0.75 }))).toBe("A rate of 1e−3; at 7.5e−1 the loss runs away");
  expect(title(rateFigure({ ...parts, limit: undefined }))).toMatch(/the loss never ran away up to/);
});
