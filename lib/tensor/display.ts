// How a tensor shows itself in a cell: a card with shape, type and values, the middle of long axes left out, and its figure.
// Reads no more than it shows.

import { checkNames } from "../options.ts";
import { card } from "../plot/card.ts";
import { Figure, type MimeBundle } from "../plot/figure.ts";
import { formatBytes, formatCount } from "../plot/format.ts";
import { escapeHtml } from "../plot/html.ts";
import { type TensorPlotOptions, tensorFigure } from "../plot/tensor-figure.ts";
import { at } from "./choose.ts";
import { cat } from "./join.ts";
import { prepared, read, share } from "./queue.ts";
import { countOf, formatShape, type Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** More elements than this, and axes longer than twice `edge` show their ends only. */
const shownWhole = 1000;
const edge = 3;

/** The figure of its values, which are read now: the tensor may be freed before it is drawn. */
export function figureOf(x: Tensor, options: TensorPlotOptions = {}): Figure {
  checkNames("tensor.plot", options, ["title", "axes", "labels"]);
  const { shape, dtype, name } = x;
  const values = read(x);
  // Reported where the figure is drawn.
  values.catch(() => {});
  return new Figure(async () => tensorFigure({ data: await values, shape, dtype, name, options }));
}

export async function showTensor(x: Tensor): Promise<MimeBundle> {
  const { shape, dtype, name, size, bytes } = x;
  const text = await formatValues(x);
  const bundle = card({
    title: name,
    facts: [
      ["shape", formatShape(shape)],
      ["dtype", dtype],
      ["elements", formatCount(size)],
      ["bytes", formatBytes(bytes)],
    ],
    next: ["plot()", "await data()"],
  });
  const block = `<pre style="color:var(--jp-content-font-color1,CanvasText);font:12px/1.5 var(--jp-code-font-family,monospace);margin:4px 0;overflow-x:auto">${escapeHtml(text)}</pre>`;
  return {
    "text/plain": `tensor(${text.replace(/\n(?=[^\n])/g, "\n       ")}, shape ${formatShape(shape)}, ${dtype})`,
    "text/html": String(bundle["text/html"]) + block,
  };
}

/** The values as torch prints them: aligned, in fixed digits, long axes cut in the middle. */
export async function formatValues(x: Tensor): Promise<string> {
  const cut = x.size > shownWhole;
  const isBool = x.dtype === "bool";
  const long = x.shape.map((size) => cut && size > 2 * edge);
  const [values, shape] = await prepared([ends(x, long)], (shown) => [read(shown), shown.shape] as const);
  const texts = format(Array.from<number | bigint>((await values) as ArrayLike<number | bigint>), isBool);
  return layOut(texts, shape, long);
}

/** The first and the last elements along every long axis. */
function ends(x: Tensor, long: readonly boolean[]): Tensor {
  return long.reduce(
    (shown, isLong, axis) => {
      if (!isLong) return shown;
      const before = new Array<null>(axis).fill(null);
      return prepared([shown], (whole) =>
        prepared([at(whole, [...before, [0, edge]]), at(whole, [...before, [-edge, null]])], (...parts) =>
          cat(parts, axis),
        ),
      );
    },
    share(x, x.view("display"), "display"),
  );
}

function format(values: readonly (number | bigint)[], isBool: boolean): string[] {
  const texts = isBool ? values.map((value) => (value ? "true" : "false")) : numbers(values);
  const width = Math.max(0, ...texts.map((text) => text.length));
  return texts.map((text) => text.padStart(width));
}

/** Whole numbers as they are, others with four digits, in powers of ten where sizes lie far apart, as torch chooses. */
function numbers(values: readonly (number | bigint)[]): string[] {
  const sizes = values
    .map((value) => Math.abs(Number(value)))
    .filter((size) => size > 0 && Number.isFinite(size));
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const whole = values.every(
    (value) => typeof value === "bigint" || Number.isInteger(value) || !Number.isFinite(value),
  );
  const wide = sizes.length > 0 && (most >= 1e8 || (!whole && (most / least > 1000 || least < 1e-4)));
  return values.map((value) => {
    if (typeof value === "bigint" || !Number.isFinite(value)) return String(value);
    return wide ? value.toExponential(4) : whole ? String(value) : value.toFixed(4);
  });
}

function layOut(texts: readonly string[], shape: Shape, long: readonly boolean[]): string {
  const level = (axis: number, from: number): string => {
    if (axis === shape.length) return texts[from]!;
    const step = countOf(shape.slice(axis + 1));
    const parts = Array.from({ length: shape[axis]! }, (_, i) => level(axis + 1, from + i * step));
    if (long[axis]) parts.splice(edge, 0, "...");
    const inner = axis === shape.length - 1;
    const indent = `\n${" ".repeat(axis + 1)}`;
    return `[${parts.join(inner ? ", " : `,${"\n".repeat(Math.max(0, shape.length - axis - 2))}${indent}`)}]`;
  };
  return level(0, 0);
}
