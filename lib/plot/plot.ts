// `plot(x)`: the picture of whatever has one.

import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import { Figure, type PlotlySpec } from "./figure.ts";
import { tensorFigure } from "./tensor-figure.ts";
import { adopted } from "./theme.ts";

/**
 * A figure of a value: what its own `plot()` gives, numbers as a line, or a Plotly figure (`{ data, layout }`) of one's own,
 * which takes on our look unless it brings a template.
 * @throws LensorError for a value that has no picture
 */
export function plot(value: unknown): Figure {
  if (value instanceof Figure) return value;
  const own = (value as { plot?: unknown } | null | undefined)?.plot;
  if (typeof own === "function") return own.call(value) as Figure;
  if (isSpec(value)) return new Figure(() => adopted({ ...value, layout: value.layout ?? {} }));
  const numbers = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  if (numbers && Array.from(value as ArrayLike<unknown>).every((x) => /^(number|bigint)$/.test(typeof x))) {
    const data = value as ArrayLike<number | bigint>;
    return new Figure(() => tensorFigure({ data, shape: [data.length], dtype: "numbers", name: "values" }));
  }
  throw new LensorError("This value has no picture", {
    expected: "something with plot() (a model, a tensor, a trace's attention), numbers, or { data, layout }",
    got: describe(value),
  });
}

function isSpec(value: unknown): value is PlotlySpec {
  return typeof value === "object" && value !== null && Array.isArray((value as { data?: unknown }).data);
}
