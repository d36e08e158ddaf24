// Quality against cost: every model a point with its name, the front of those that no other betters in both, 95 % intervals where
// they are known. Where more was measured, a menu changes both axes, and with them the front, names and title. Pure.

import type { PlotlySpec } from "./figure.ts";
import { axisOf, type Scale, scaleOf } from "./pareto-axes.ts";
import { labelsOf, type Marked } from "./pareto-labels.ts";
import {
  findingOf,
  frontOf,
  isShare,
  numberAt,
  type ParetoAxis,
  type ParetoPoint,
  placed,
  sourceOf,
  titleOf,
  wordsOf,
} from "./pareto-parts.ts";
import { categories, layoutOf, markup, type Tokens, tokens } from "./theme.ts";

export interface ParetoInput {
  points: readonly ParetoPoint[];
  /** The name of the point that others are held against. */
  reference: string;
  measures: readonly ParetoAxis[];
  /** Names of measures to begin with. */
  x?: string;
  y?: string;
  /** What else is to be said. */
  note?: string;
}

const INSIDE = 360;
/** Pixels across, without the margins, of a narrow cell: in a wider one points and names stand further apart. */
const USUAL = 620;
const TOP = 112;
const BOTTOM = 58;
/** After each round of the colours another. */
const MARKS = ["circle", "square", "diamond"];

interface View {
  x: ParetoAxis;
  y: ParetoAxis;
}

export function paretoFigure(input: ParetoInput): PlotlySpec {
  const views = viewsOf(input);
  const made = views.map((view) => drawn(view, input));
  const first = made[0]!;
  const data = (of: Tokens) => tracesOf(first, input, of);
  return {
    data: data(tokens.light),
    layout: {
      ...layoutOf({
        ...first.words,
        data: (of) =>
          data(of).map(({ marker, line }) => ({
            ...(marker !== undefined && { marker }),
            ...(line !== undefined && { line }),
          })),
      }),
      ...first.axes,
      hovermode: "closest",
      annotations: first.annotations,
      ...(views.length > 1 && { updatemenus: [menuOf(views, made)] }),
    },
  };
}

/** Every quality by every cost, those that were asked for first; where there is no quality, costs by each other. */
function viewsOf({ measures, points, x, y }: ParetoInput): View[] {
  const known = measures.filter((one) => points.some((point) => Number.isFinite(numberAt(point, one))));
  const costs = known.filter(({ kind }) => kind === "cost");
  const qualities = known.filter(({ kind }) => kind === "quality");
  const upward = qualities.length > 0 ? qualities : costs.filter(({ name }) => name !== "bytes");
  const views = (upward.length > 0 ? upward : costs).flatMap((y) =>
    costs.filter((x) => x !== y || costs.length === 1).map((x) => ({ x, y })),
  );
  const asked = (name: string | undefined, fallback: ParetoAxis) =>
    measures.find((one) => one.name === name) ?? fallback;
  const [usual] = views;
  const begin = { x: asked(x, usual!.x), y: asked(y, usual!.y) };
  return [begin, ...views.filter((view) => view.x !== begin.x || view.y !== begin.y)];
}

interface Drawn {
  front: ParetoPoint[];
  /** All, so that each keeps its place in the trace; some have none on these axes. */
  points: readonly ParetoPoint[];
  view: View;
  /** What is drawn of a value, across and up. */
  at: { x: (value: number) => number; y: (value: number) => number };
  words: { title: string; subtitle: string; height: number; margin: object };
  axes: { xaxis: Record<string, unknown>; yaxis: Record<string, unknown> };
  annotations: object[];
}

function drawn(view: View, { points: all, reference, note }: ParetoInput): Drawn {
  const { x, y } = view;
  const points = placed(all, x, y);
  const [across, up] = [scaleOf(points, x, 0.12), scaleOf(points, y, 0.1)];
  const labels = labelsOf(
    points.map((point) => markedOf(point, view, across, up)),
    { width: USUAL, height: INSIDE },
  );
  const at = {
    x: (value: number) => drawnValue(x, across, value),
    y: (value: number) => drawnValue(y, up, value),
  };
  const left = all.length - points.length;
  const paired = points.some((point) => Number.isFinite(point.places.get(y.name)!.low));
  return {
    ...{ view, points: all, at, front: frontOf(all, x, y) },
    words: {
      title: findingOf(all, reference, x, y),
      subtitle: [
        `${points.length} models, grey point: ${reference}; grey line: the front, which none betters in both`,
        paired && "bars: 95 %, of the difference to it where that can be told",
        left > 0 && `${left} without a number`,
        ...[x, y].map((axis) => sourceOf(points, axis)),
        note,
      ]
        .filter(Boolean)
        .join("; "),
      height: INSIDE + TOP + BOTTOM,
      margin: { l: 70, r: 24, t: TOP, b: BOTTOM },
    },
    axes: {
      xaxis: { ...axisOf(x, across), title: { text: titleOf(x), standoff: 8 } },
      yaxis: { ...axisOf(y, up), title: { text: "" } },
    },
    annotations: [
      {
        ...{ x: 0, xref: "paper", xanchor: "left", y: 1, yref: "paper", yanchor: "bottom", yshift: 8 },
        text: `<b>${markup(titleOf(y))}</b>; up is better`,
      },
      ...points.map((point, i) => nameOf(point, labels[i]!, at, view, [across, up])),
    ],
  };
}

/** Where a point and its intervals are drawn, in pixels. */
function markedOf(point: ParetoPoint, { x, y }: View, across: Scale, up: Scale): Marked {
  const place = (axis: ParetoAxis, scale: Scale, size: number, key: "value" | "low" | "high") =>
    scale.at(point.places.get(axis.name)![key]) * size;
  const [left, bottom] = [place(x, across, USUAL, "value"), place(y, up, INSIDE, "value")];
  const ends = (axis: ParetoAxis, scale: Scale, size: number) =>
    (["low", "high"] as const).map((key) => place(axis, scale, size, key)).sort((a, b) => a - b) as [
      number,
      number,
    ];
  const [x0, x1] = ends(x, across, USUAL);
  const [y0, y1] = ends(y, up, INSIDE);
  const bars = [
    ...(x1 - x0 > 1 ? [{ left: x0, right: x1, bottom: bottom - 2, top: bottom + 2 }] : []),
    ...(y1 - y0 > 1 ? [{ left: left - 2, right: left + 2, bottom: y0, top: y1 }] : []),
  ];
  return { name: point.name, x: left, y: bottom, bars };
}

const drawnValue = (axis: ParetoAxis, scale: Scale, value: number) =>
  Number((isShare(axis) ? 100 * value : scale.shown(value)).toPrecision(5));

function nameOf(
  point: ParetoPoint,
  { dx, dy, anchor, led }: ReturnType<typeof labelsOf>[number],
  at: Drawn["at"],
  { x, y }: View,
  [across, up]: readonly [Scale, Scale],
): object {
  const place = (value: number, { log }: Scale) => (log ? Math.log10(value) : value);
  return {
    ...{
      x: place(at.x(numberAt(point, x)), across),
      y: place(at.y(numberAt(point, y)), up),
      xref: "x",
      yref: "y",
    },
    text: textOf(point, y, up),
    ...(led
      ? {
          showarrow: true,
          arrowhead: 0,
          arrowwidth: 1,
          arrowcolor: tokens.light.baseline,
          ax: dx,
          ay: -dy,
          xanchor: anchor,
          standoff: 5,
        }
      : { showarrow: false, xanchor: anchor, yanchor: "middle", xshift: dx, yshift: dy }),
  };
}

/** What has no place on a logarithmic axis says where it is. */
function textOf(point: ParetoPoint, y: ParetoAxis, up: Scale): string {
  return markup(up.log && numberAt(point, y) === 0 ? `${point.name}: 0` : point.name);
}

/** What a trace draws of the points: also what a menu puts in its place. */
function dataOf({ front, points, view: { x, y }, at }: Drawn) {
  const places = (all: readonly ParetoPoint[], axis: ParetoAxis, to: (value: number) => number) =>
    all.map((point) => (Number.isFinite(numberAt(point, axis)) ? to(numberAt(point, axis)) : null));
  const bars = (axis: ParetoAxis, to: (value: number) => number, end: "low" | "high") =>
    points.map((point) => {
      const place = point.places.get(axis.name);
      return place && Number.isFinite(place[end]) ? Math.abs(to(place[end]) - to(place.value)) : 0;
    });
  return {
    x: [places(front, x, at.x), places(points, x, at.x)],
    y: [places(front, y, at.y), places(points, y, at.y)],
    high: { x: bars(x, at.x, "high"), y: bars(y, at.y, "high") },
    low: { x: bars(x, at.x, "low"), y: bars(y, at.y, "low") },
  };
}

function tracesOf(made: Drawn, input: ParetoInput, of: Tokens): Record<string, unknown>[] {
  const { x, y, high, low } = dataOf(made);
  const bar = (axis: "x" | "y") => ({
    ...{ type: "data", symmetric: false, array: high[axis], arrayminus: low[axis] },
    ...{ color: tokens.light.baseline, thickness: 1, width: 2 },
  });
  return [
    {
      type: "scatter",
      mode: "lines",
      x: x[0],
      y: y[0],
      line: { color: of.grid, width: 9 },
      hoverinfo: "skip",
    },
    {
      ...{ type: "scatter", mode: "markers", x: x[1], y: y[1], error_x: bar("x"), error_y: bar("y") },
      marker: { ...markers(input, of), size: 9 },
      customdata: made.points.map((point) => wordsOf(point, input.measures)),
      hovertemplate: "%{customdata}<extra></extra>",
    },
  ];
}

function markers({ points, reference }: ParetoInput, of: Tokens) {
  const others = points.filter(({ name }) => name !== reference);
  const look = (point: ParetoPoint): [colour: string, symbol: string] => {
    const place = others.indexOf(point);
    if (place < 0) return [of.baseline, "star"];
    const round = Math.floor(place / categories.length) % MARKS.length;
    return [categories[place % categories.length]!, MARKS[round]!];
  };
  return { color: points.map((point) => look(point)[0]), symbol: points.map((point) => look(point)[1]) };
}

function menuOf(views: readonly View[], made: readonly Drawn[]): object {
  return {
    ...{ type: "dropdown", direction: "down", showactive: true, active: 0 },
    ...{ x: 1, xanchor: "right", y: 1, yanchor: "bottom", pad: { b: 4 } },
    font: { size: 11 },
    buttons: views.map((view, i) => {
      const one = made[i]!;
      const { x, y, high, low } = dataOf(one);
      const words = layoutOf(one.words);
      const { text, subtitle } = words.title as { text: string; subtitle: { text: string } };
      return {
        label: `${view.y.name} by ${view.x.name}`,
        method: "update",
        args: [
          {
            ...{ x, y },
            "error_x.array": [null, high.x],
            "error_x.arrayminus": [null, low.x],
            "error_y.array": [null, high.y],
            "error_y.arrayminus": [null, low.y],
          },
          {
            "title.text": text,
            "title.subtitle.text": subtitle.text,
            xaxis: one.axes.xaxis,
            yaxis: one.axes.yaxis,
            annotations: one.annotations,
          },
        ],
      };
    }),
  };
}
