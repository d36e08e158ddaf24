// What a smaller cache lost, head by head: the error of its output beside the share of attention that its keys had, and how many
// keys that took. Pure.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatCount, formatDuration, formatValue } from "./format.ts";
import { shortLabel } from "./map-frame.ts";
import { layoutOf, sequential } from "./theme.ts";

export interface CacheReportInput {
  readonly method: string;
  readonly model: string;
  readonly ratio: number;
  readonly realRatio: number;
  readonly tokens: number;
  readonly bytesBefore: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Of every layer and KV head, in order. */
  readonly heads: readonly {
    layer: number;
    head: number;
    kept: number;
    of: number;
    mass: number;
    error: number;
  }[];
}

type Head = CacheReportInput["heads"][number];

/** Pixels of a head's row, and between panels: the next one's name. */
const ROW = 20;
const GAP = 34;

/** @param brief Small enough to travel with another figure: hovering tells the number, not the head's whole story */
export function cacheReport(input: CacheReportInput, { brief = false } = {}): PlotlySpec {
  const { heads, model, ratio, realRatio, tokens, bytesBefore, bytes, seconds } = input;
  const layers = Math.max(...heads.map((one) => one.layer)) + 1;
  const kvHeads = Math.max(...heads.map((one) => one.head)) + 1;
  const rows = Array.from({ length: kvHeads }, (_, head) =>
    Array.from({ length: layers }, (_, layer) =>
      heads.find((one) => one.layer === layer && one.head === head),
    ),
  );
  const hover = brief ? [] : rows.map((row) => row.map((one) => (one ? words(one) : "")));
  const most = (pick: (one: Head) => number) => Math.max(...heads.map(pick).filter(Number.isFinite), 0);
  const panels: {
    name: string;
    pick: (one: Head) => number;
    max: number;
    label: (value: number) => string;
    hover: string;
  }[] = [
    {
      hover: "output error %{z}",
      name: "<b>output error</b>, ‖o′ − o‖ / ‖o‖",
      pick: (one) => one.error,
      max: Math.max(
        1e-6,
        most((one) => one.error),
      ),
      label: shortLabel,
    },
    {
      hover: "%{z:.1%} of the mass kept",
      name: "<b>mass kept</b>, share of attention on the keys that stayed",
      pick: (one) => one.mass,
      max: 1,
      label: (value) => `${shortLabel(100 * value)} %`,
    },
    {
      hover: "%{z} keys kept",
      name: "<b>keys kept</b>",
      pick: (one) => one.kept,
      max: Math.max(
        1,
        most((one) => one.kept),
      ),
      label: (value) => formatCount(Math.round(value)),
    },
  ];
  const panel = ROW * Math.max(3, kvHeads);
  const inside = panels.length * (panel + GAP) - GAP;
  const bottom = (i: number) => 1 - (i * (panel + GAP) + panel) / inside;
  const top = (i: number) => 1 - (i * (panel + GAP)) / inside;
  const key = (name: string, i: number) => (i ? `${name}${i + 1}` : name);
  const three = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(3)) : null);
  return {
    data: panels.map(({ pick, hover: short }, i) => ({
      type: "heatmap",
      z: rows.map((row) => row.map((one) => (one ? three(pick(one)) : null))),
      ...(brief ? {} : { text: hover }),
      hovertemplate: `${brief ? `layer %{x}, KV head %{y}<br>${short}` : "%{text}"}<extra></extra>`,
      coloraxis: key("coloraxis", i),
      ...{ xgap: 1, ygap: 1, xaxis: "x", yaxis: key("y", i) },
    })),
    layout: {
      ...layoutOf({
        title: finding(input),
        subtitle: `${model}, ${formatCount(tokens)} tokens: ${formatBytes(bytesBefore)} became ${formatBytes(bytes)}, really ${formatValue(realRatio)}× for ${formatValue(ratio)}× asked, in ${formatDuration(seconds)}; measured with late queries of the text`,
        height: inside + 100 + 46,
        margin: { l: 46, r: 96, t: 100, b: 46 },
      }),
      annotations: panels.map(({ name }, i) => ({
        ...{ x: 0, xref: "paper", xanchor: "left", y: top(i), yref: "paper", yanchor: "bottom", yshift: 4 },
        text: i === 0 ? `${name}; layers across, KV heads down` : name,
      })),
      xaxis: {
        ...{
          title: { text: "layer", standoff: 6 },
          tickmode: "linear",
          dtick: layers > 16 ? 2 : 1,
          tickangle: 0,
        },
        ...{ range: [-0.5, layers - 0.5], anchor: key("y", panels.length - 1), fixedrange: true },
      },
      ...Object.fromEntries(
        panels.map((_, i) => [
          key("yaxis", i),
          {
            ...{ domain: [bottom(i), top(i)], range: [kvHeads - 0.5, -0.5], fixedrange: true },
            ...{ tickmode: "linear", dtick: kvHeads > 16 ? 4 : 1 },
          },
        ]),
      ),
      ...Object.fromEntries(
        panels.map(({ max, label }, i) => [
          key("coloraxis", i),
          {
            ...{ colorscale: sequential, cmin: 0, cmax: max },
            colorbar: {
              ...{ x: 1.01, xanchor: "left", y: (top(i) + bottom(i)) / 2, yanchor: "middle" },
              ...{ len: panel / inside, thickness: 10, title: { text: "" }, ypad: 0 },
              ...{ tickmode: "array", tickvals: [0, max / 2, max], ticktext: [0, max / 2, max].map(label) },
            },
          },
        ]),
      ),
    },
  };
}

function words({ layer, head, kept, of, mass, error }: Head): string {
  return [
    `layer ${layer}, KV head ${head}`,
    `${formatCount(kept)} of ${formatCount(of)} keys`,
    `output error ${formatValue(error)}, ${percent(mass)} of the mass kept`,
  ].join("<br>");
}

/** The typical head, and the worst one: an average alone hides it. */
function finding({ method, realRatio, heads }: CacheReportInput): string {
  const errors = heads.map((one) => one.error).filter(Number.isFinite);
  if (errors.length === 0) return `${method} at ${formatValue(realRatio)}×`;
  const mean = errors.reduce((sum, one) => sum + one, 0) / errors.length;
  const worst = heads.reduce((most, one) => (one.error > most.error ? one : most));
  return `${method} at ${formatValue(realRatio)}×: mean output error ${formatValue(mean)}, most in layer ${worst.layer}, head ${worst.head} (${formatValue(worst.error)})`;
}
