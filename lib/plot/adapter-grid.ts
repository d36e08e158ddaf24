// How far an adapter moves each matrix of a model: layers across, matrices down. Pure: values in, Plotly's JSON out.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { MATRIX_WORDS, matrixGrid } from "./matrix-grid.ts";

export interface AdapterGridInput {
  model: string;
  /** "lora, rank 8" */
  kind: string;
  layers: number;
  /** The matrices that are adapted in some layer, as in the file. */
  parts: readonly string[];
  /** |W' - W| / |W|, null where a matrix stands alone: `[parts][layers]`. */
  changes: readonly (readonly (number | null)[])[];
}

export function adapterGrid(input: AdapterGridInput): PlotlySpec {
  const { model, kind, layers, parts, changes } = input;
  const all = changes.flatMap((row, part) =>
    row.flatMap((value, layer) => (value === null ? [] : [{ part, layer, value }])),
  );
  const most = all.reduce((a, b) => (b.value > a.value ? b : a));
  const mean = all.reduce((sum, { value }) => sum + value, 0) / all.length;
  const title =
    most.value === 0
      ? "Nothing has been learnt yet: the model is its base"
      : `${MATRIX_WORDS[parts[most.part]!]} of layer ${most.layer} moved most, by ${percent(most.value)}`;
  return matrixGrid({
    ...{ title, layers, parts, values: changes, bar: "|W′ − W| / |W|" },
    subtitle: `${model}, ${kind}: change of each matrix as a share of its size (Frobenius norms), ${percent(mean)} on average`,
    more: () => " of its size",
  });
}
