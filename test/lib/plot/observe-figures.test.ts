// Figures of the engine itself, on constructed inputs: findings, limits on what is drawn, and where marks stand.

import { describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../../lib/plot/figure.ts";
import { flameFigure } from "../../../lib/plot/flame.ts";
import { memoryFigure } from "../../../lib/plot/memory.ts";
import { rooflineFigure } from "../../../lib/plot/roofline.ts";
import type { Operation, TaskSpan } from "../../../lib/profile/operations.ts";

const title = (spec: PlotlySpec) => (spec.layout.meta as { title: string }).title;
const notes = (spec: PlotlySpec) => (spec.layout.annotations as { text: string }[]).map(({ text }) => text);

describe("memory", () => {
  const kinds = ["tensor", "weights"];
  const holder = (cell: string, bytes: number) => ({ cell, kind: "tensor", bytes });
  const whole = { live: 300e6, kept: 0, peak: 400e6, budget: 8e9, kinds };
  const point = (age: number, bytes: number) => ({ age, kinds: [bytes, 0] });

  test("names the cell that holds the most, and joins the smallest", () => {
    const holders = Array.from({ length: 12 }, (_, i) => holder(`Cell [${i + 1}]`, 1e6 * (12 - i)));
    const spec = memoryFigure({ ...whole, live: 78e6, holders, timeline: [point(1, 78e6)] });
    expect(title(spec)).toMatch(/^Cell \[1\] holds 12.0 MB, 15.4/);
    const bars = spec.data.find((trace) => trace.type === "bar")!;
    expect(bars.y).toHaveLength(8);
    expect((bars.y as string[]).at(-1)).toBe("5 other cells");
    expect((bars.x as number[]).at(-1)).toBe(15);
  });

  test("draws at most 400 points, and never loses a peak", () => {
    const timeline = Array.from({ length: 4096 }, (_, i) => point(4096 - i, i === 1234 ? 400e6 : 1e6));
    const spec = memoryFigure({ ...whole, holders: [holder("a", 300e6)], timeline });
    const area = spec.data.find((trace) => trace.stackgroup)!;
    expect((area.y as number[]).length).toBeLessThanOrEqual(400);
    expect(Math.max(...(area.y as number[]))).toBe(400);
  });

  test("shows the budget once it is near", () => {
    const input = { ...whole, holders: [holder("a", 300e6)], timeline: [point(5, 300e6)] };
    expect(notes(memoryFigure(input))).not.toContain("budget");
    expect(notes(memoryFigure({ ...input, budget: 500e6 }))).toContain("budget");
  });

  test("of nothing", () => {
    expect(title(memoryFigure({ ...whole, live: 0, holders: [], timeline: [] }))).toBe("Nothing is held");
  });
});

describe("a roofline", () => {
  const roof = { f32: 100e9, bf16: 200e9, i8: 400e9, read: 20e9 };
  const operation = (name: string, change: Partial<Operation> = {}): Operation => ({
    ...{ name, calls: 1, seconds: 0.5, share: 0.5, flops: 25e9, bytes: 1e9, compute: "f32", shapes: "" },
    ...change,
  });
  const about = { roof, seconds: 1, threads: 2, isa: "avx2", note: "" };

  test("measures an operation by the roof above it: of memory on the slope, of its type on the flat", () => {
    const flat = rooflineFigure({ ...about, operations: [operation("matmul")] });
    expect(title(flat)).toMatch(/^matmul takes 50.0\s% of the time, at 50.0\s% of what/);
    const slope = rooflineFigure({ ...about, operations: [operation("add", { flops: 1e9, bytes: 5e9 })] });
    expect(title(slope)).toMatch(/at 50.0\s% of what/);
    const small = rooflineFigure({
      ...about,
      operations: [operation("linear", { flops: 50e9, compute: "i8" })],
    });
    expect(title(small)).toMatch(/at 25.0\s% of what/);
  });

  test("draws the roofs of the types that were used, and of f32", () => {
    const only = (spec: PlotlySpec) => notes(spec).filter((text) => /^(f32|bf16|i8) /.test(text));
    expect(only(rooflineFigure({ ...about, operations: [operation("a")] }))).toEqual(["f32 100"]);
    const mixed = [operation("a"), operation("b", { compute: "i8" })];
    expect(only(rooflineFigure({ ...about, operations: mixed }))).toEqual(["f32 100", "i8 400"]);
  });

  test("an operation that computes nothing has a row and no point", () => {
    const spec = rooflineFigure({ ...about, operations: [operation("copy", { flops: 0 })] });
    expect(spec.data.find((trace) => trace.mode === "markers")!.x).toEqual([]);
    expect(notes(spec).join()).toMatch(/copy {2}50.0\s%, 500 ms, 2.00 GB\/s/);
  });

  test("does not repeat the operation that all rows are parts of", () => {
    const operations = [operation("forward: linear"), operation("forward: attention", { flops: 1e9 })];
    const texts = notes(rooflineFigure({ ...about, operations })).join();
    expect(texts).toContain("attention");
    expect(texts).not.toContain("forward: attention");
  });
});

describe("a flame chart", () => {
  const span = (name: string, begin: number, end: number) => ({
    ...{ name, begin, end, flops: 0, bytes: 0, shape: "", compute: "f32" as const },
  });
  const task = (name: string, begin: number, end: number, change: Partial<TaskSpan> = {}): TaskSpan => ({
    ...{ ...span(name, begin, end), kernels: [], phases: [], run: 0 },
    ...change,
  });
  const about = { seconds: 1, root: "Cell [1]", note: "" };

  test("ten thousand short operations are few bars, named after what takes the most", () => {
    const tasks = Array.from({ length: 10_000 }, (_, i) =>
      task(i % 3 ? "mul" : "add", i / 1e4, (i + 1) / 1e4),
    );
    const spec = flameFigure({ ...about, tasks });
    const level = spec.data[1]!;
    expect((level.x as number[]).length).toBeLessThan(20);
    expect((level.x as number[]).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 2);
    expect((level.customdata as string[])[0]).toMatch(/together, mostly mul/);
    expect(title(spec)).toMatch(/^The engine was busy 100\s% of 1.0 s, most of it with mul/);
  });

  test("phases span their operations, one level a depth, and kernels stand below what they make", () => {
    const kernels = [span("linear", 0.5, 0.7), span("norm", 0.7, 0.8)];
    const tasks = [
      task("a", 0.1, 0.2, { phases: ["train", "forward"] }),
      task("b", 0.3, 0.4, { phases: ["train", "forward"] }),
      task("c", 0.5, 0.8, { phases: ["train"], kernels }),
    ];
    const { data } = flameFigure({ ...about, tasks });
    const bars = data.map(({ base, x, customdata }) =>
      (base as number[]).map((begin, i) => [
        (customdata as string[])[i]!.split("<br>")[0],
        begin,
        (x as number[])[i],
      ]),
    );
    expect(bars[1]![0]).toEqual(["train", 0.1, 0.7]);
    expect(bars[2]).toEqual([["forward", 0.1, 0.3]]);
    expect(bars[3]!.map(([name]) => name)).toEqual(["a", "b", "c"]);
    expect(bars[4]!.map(([name]) => name)).toEqual(["linear", "norm"]);
  });
});
