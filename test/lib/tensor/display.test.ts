// What a tensor shows in a cell: text as torch prints it, a card, a figure; never more than fits.

import { describe, expect, it } from "vitest";
import { formatValues } from "../../../lib/tensor/display.ts";
import { type Tensor, tensor } from "../../../lib/tensor/index.ts";

const show = (x: Tensor) =>
  (x as unknown as Record<symbol, () => Promise<Record<string, string>>>)[Symbol.for("Jupyter.display")]!();

describe("the values of a tensor", () => {
  it("are aligned, whole numbers without a fraction", async () => {
    expect(
      await formatValues(
        tensor([
          [1, -20],
          [300, 4],
        ]),
      ),
    ).toBe("[[  1, -20],\n [300,   4]]");
    expect(await formatValues(tensor([0.5, -1.25]))).toBe("[ 0.5000, -1.2500]");
    expect(await formatValues(tensor(3n))).toBe("3");
    expect(await formatValues(tensor([true, false]))).toBe("[ true, false]");
    expect(await formatValues(tensor([1, Number.NaN, Number.POSITIVE_INFINITY]))).toBe(
      "[       1,      NaN, Infinity]",
    );
    expect(await formatValues(tensor([]))).toBe("[]");
  });

  it("are in powers of ten where they lie far apart", async () => {
    expect(await formatValues(tensor([1e-6, 0.5]))).toBe("[1.0000e-6, 5.0000e-1]");
  });

  it("leave out the middle of what is long", async () => {
    expect(await formatValues(tensor.arange(2000))).toBe("[   0,    1,    2, ..., 1997, 1998, 1999]");
    const lines = (await formatValues(tensor.zeros([100, 100, 100]))).split("\n");
    expect(lines.length).toBeLessThan(80);
    expect(lines[0]).toBe("[[[0, 0, 0, ..., 0, 0, 0],");
    // What is not shown is not read: this would be 4 GB.
    expect(await formatValues(tensor([1]).expand(30_000, 30_000))).toContain("...");
  });
});

describe("a tensor in a cell", () => {
  it("shows a card with its facts, and plain text", async () => {
    const bundle = await show(tensor([[1, 2]]).named("a <b>"));
    expect(bundle["text/plain"]).toBe("tensor([[1, 2]], shape [1, 2], f32)");
    expect(bundle["text/html"]).toContain("a &lt;b&gt;");
    expect(bundle["text/html"]).toContain("[1, 2]");
    expect(bundle["text/html"]).toContain("f32");
  });

  it("has a short name in the console", () => {
    expect(`${tensor([[1, 2]])}`).toBe("Tensor tensor [1, 2] f32");
  });

  it("plots at once, also what is freed afterwards", async () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const figure = x.plot();
    x.dispose();
    const spec = await figure.spec();
    expect(spec.data[0]!.type).toBe("heatmap");
    expect(JSON.stringify(spec)).toContain("runs from 1.00 to 4.00");
  });
});
