// Where a model's parameters and bytes are, part by part. Pure: reads names and sizes, never tensor data.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatCount, formatParameters } from "./format.ts";
import { categories, layoutOf, markup } from "./theme.ts";

export interface AnatomyTensor {
  name: string;
  dtype: string;
  shape: readonly number[];
  bytes: number;
}

export interface ModelAnatomyInput {
  config: {
    layers: number;
    width: number;
    heads: number;
    kvHeads: number;
    feedForward: number;
    vocabulary: number;
  };
  tensors: readonly AnatomyTensor[];
  name: string;
}

/** GGUF's and transformers' names of a decoder's tensors, in the order in which a token meets them. */
const parts: readonly [string, RegExp][] = [
  ["token embedding", /token_embd|embed_tokens/],
  ["attention: query", /attn_q\.|q_proj/],
  ["attention: key", /attn_k\.|k_proj/],
  ["attention: value", /attn_v\.|v_proj/],
  ["attention: output", /attn_output|o_proj/],
  ["feed-forward: gate", /ffn_gate|gate_proj/],
  ["feed-forward: up", /ffn_up|up_proj/],
  ["feed-forward: down", /ffn_down|down_proj/],
  ["norms", /norm/],
  ["output head", /^output\.|lm_head/],
  ["other", /./],
];

export interface AnatomyPart {
  part: string;
  parameters: number;
  bytes: number;
  tensors: number;
  /** Bytes by dtype, the largest first. */
  dtypes: [string, number][];
}

export function anatomyParts(tensors: readonly AnatomyTensor[]): AnatomyPart[] {
  return parts.flatMap(([part], order) => {
    const own = tensors.filter(
      (tensor) => parts.findIndex(([, pattern]) => pattern.test(tensor.name)) === order,
    );
    if (!own.length) return [];
    const dtypes = new Map<string, number>();
    for (const { dtype, bytes } of own) dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + bytes);
    return {
      part,
      parameters: own.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
      tensors: own.length,
      dtypes: [...dtypes].sort((a, b) => b[1] - a[1]),
    };
  });
}

export function modelAnatomy(input: ModelAnatomyInput): PlotlySpec {
  const { config, tensors, name } = input;
  const list = anatomyParts(tensors);
  const bytes = list.reduce((sum, part) => sum + part.bytes, 0);
  const parameters = list.reduce((sum, part) => sum + part.parameters, 0);
  const stored = new Map<string, number>();
  for (const [dtype, size] of list.flatMap((part) => part.dtypes))
    stored.set(dtype, (stored.get(dtype) ?? 0) + size);
  // The largest first, as on the model's card: there and here a type has the same colour.
  const dtypes = [...stored.keys()].sort((a, b) => stored.get(b)! - stored.get(a)!);
  const megabytes = (value: number) => Number((value / 1e6).toPrecision(4));
  const widest = Math.max(...list.map((part) => part.bytes), 1) / 1e6;
  const data = dtypes.map((dtype, i) => ({
    type: "bar",
    orientation: "h",
    name: dtype,
    y: list.map(({ part }) => part),
    x: list.map((part) => megabytes(part.dtypes.find(([one]) => one === dtype)?.[1] ?? 0)),
    marker: { color: categories[i % categories.length] },
    hovertemplate: `%{y}<br>%{x} MB in ${markup(dtype)}<extra></extra>`,
  }));
  const annotations = list.map((part) => ({
    x: megabytes(part.bytes),
    y: part.part,
    xanchor: "left",
    xshift: 6,
    text: `${formatBytes(part.bytes)} · ${formatParameters(part.parameters)} · ${part.dtypes.map(([dtype]) => markup(dtype)).join(", ")}`,
  }));
  const feed = list
    .filter(({ part }) => part.startsWith("feed-forward"))
    .reduce((sum, part) => sum + part.bytes, 0);
  const largest = list.reduce((a, b) => (b.bytes > a.bytes ? b : a), list[0]!);
  const finding =
    feed > largest.bytes
      ? `${percent(feed / bytes)} of the bytes are in the feed-forward layers`
      : `${percent(largest.bytes / bytes)} of the bytes are the ${largest.part}`;
  return {
    data,
    layout: {
      ...layoutOf({
        title: finding,
        subtitle: `${name}: ${formatParameters(parameters)} parameters in ${formatBytes(bytes)}; ${config.layers} layers, width ${formatCount(config.width)}, ${config.heads} query and ${config.kvHeads} key-value heads, vocabulary ${formatCount(config.vocabulary)}`,
        height: 130 + list.length * 28,
        margin: { l: 140, r: 16, t: 72, b: 56 },
      }),
      barmode: "stack",
      bargap: 0.3,
      annotations,
      xaxis: {
        title: { text: "MB (beside each bar: bytes, parameters, storage type)", standoff: 6 },
        range: [0, widest * 1.45],
        rangemode: "tozero",
      },
      yaxis: { autorange: "reversed", type: "category", ticklabelstandoff: 6 },
    },
  };
}
