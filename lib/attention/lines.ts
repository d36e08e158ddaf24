// Token-to-token lines (Vig 2019, BertViz's head view): the weights of a page of tokens, of one layer or of all.

import { stopIfInterrupted } from "../host.ts";
import { checkFlag, checkNames, checkNumber } from "../options.ts";
import { type AttentionLines, attentionLines, type LineLayer } from "../plot/attention-lines.ts";
import { Figure } from "../plot/figure.ts";
import { weightRows } from "./shrink.ts";
import type { Trace } from "./trace.ts";

export interface LinesOptions {
  /** The first token shown: a page holds forty. */
  from?: number;
  /** Whether lines to the first token are drawn, where many heads rest; without them the others can be seen. */
  sink?: boolean;
  /** Weights below it have no line; 0.1 by default, with a slider over all layers 0.2. */
  least?: number;
}

/** Tokens on a page: more lines cannot be told apart. */
const PAGE = 40;

export function lines(call: string, trace: Trace, layers: readonly number[], options: LinesOptions): Figure {
  checkNames(call, options, ["from", "sink", "least"]);
  const { from = 0, sink = false, least = layers.length > 1 ? 0.2 : 0.1 } = options;
  const T = trace.ids.length;
  checkNumber(call, "from", from, { least: 0, most: T - 1, whole: true });
  checkFlag(call, "sink", sink);
  checkNumber(call, "least", least, { least: 0.02, most: 1 });
  const to = Math.min(T, from + PAGE);
  return new Figure(async () => {
    const each: LineLayer[] = [];
    for (const layer of layers) {
      stopIfInterrupted();
      each.push({ layer, heads: await pageWeights(trace, layer, from, to) });
    }
    const input: AttentionLines = { layers: each, from, to, sink, least, ...trace.about };
    return attentionLines(input);
  });
}

/** Of each head, the rows of the page: `[to - from, to]`, row-major. */
function pageWeights(trace: Trace, layer: number, from: number, to: number): Promise<Float32Array[]> {
  const { heads } = trace.model.config;
  return Promise.all(
    Array.from({ length: heads }, async (_, head) => {
      const rows = weightRows(trace, layer, head, from, to);
      const values = (await rows.data()) as Float32Array;
      rows.dispose();
      return values;
    }),
  );
}
