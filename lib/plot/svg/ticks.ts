// Where an axis is marked and what is written there: as the figure says, else at round distances, as Plotly would. Pure.

import { type Axis, isInside, unitOf } from "./axis.ts";
import { formatted, placesOf, tickText } from "./format-number.ts";
import { list, number, numberOr, within, words } from "./read.ts";

export interface Tick {
  /** In the axis's own units. */
  at: number;
  text: string;
}

const MOST = 400;

export function ticksOf(axis: Axis, pixels: number): Tick[] {
  const { given, range } = axis;
  if (list(given.tickvals).length > 0 || given.tickmode === "array") return said(axis);
  const rough = Math.abs(range[1] - range[0]) / wished(axis, pixels);
  const own = stepOf(given.dtick);
  if (axis.type === "category") return named(axis, own ?? Math.max(1, Math.ceil(rough)));
  if (axis.type === "log") return powers(axis, rough);
  return spaced(axis, own ?? roundStep(rough), numberOr(given.tick0, 0));
}

function wished({ given, isAcross, type }: Axis, pixels: number): number {
  const most = number(given.nticks);
  if (most > 0) return within(most, 1, MOST);
  if (type === "category") return Math.min(MOST, pixels / 15);
  return within(pixels / (isAcross ? 80 : 40), 4, 9) + 1;
}

const stepOf = (value: unknown) => (number(value) > 0 ? number(value) : undefined);

/** 2, 5 or 10 times the power of ten at or below it, at least as much: as Plotly rounds, 10 becomes 20. */
export function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
}

function said(axis: Axis): Tick[] {
  const { tickvals, ticktext } = axis.given;
  const texts = list(ticktext);
  const values = list(tickvals).slice(0, 4 * MOST);
  const places = values.map((value) => unitOf(axis, value));
  const known = values.map(number).filter(Number.isFinite);
  const most = Math.max(...known.map(Math.abs), 0);
  const step = 10 ** -Math.max(0, ...known.map(placesOf));
  return values
    .flatMap((value, i) => {
      const at = places[i]!;
      if (!Number.isFinite(at) || !isInside(axis, at)) return [];
      const text = i < texts.length ? words(texts[i]) : textOf(axis, value, step, most);
      return [{ at, text }];
    })
    .slice(0, MOST);
}

/** What stands at a value that has no words of its own. */
function textOf({ given, type }: Axis, value: unknown, step: number, most: number): string {
  const one = number(value);
  if (Number.isNaN(one)) return words(value);
  const format = words(given.tickformat);
  const text = format ? formatted(one, format) : undefined;
  // On a logarithmic axis each has as many figures as it needs.
  const plain = text ?? (type === "log" ? tickText(one, one / 10, one) : tickText(one, step, most));
  return words(given.tickprefix) + plain + words(given.ticksuffix);
}

function named(axis: Axis, step: number): Tick[] {
  return axis.categories
    .map((text, at) => ({ at, text }))
    .filter(({ at }) => at % Math.ceil(step) === 0 && isInside(axis, at))
    .slice(0, MOST);
}

function spaced(axis: Axis, step: number, from: number): Tick[] {
  const [low, high] = [Math.min(...axis.range), Math.max(...axis.range)];
  if (!(step > 1e-140) || (high - low) / step > MOST) return [];
  const slack = (high - low) * 1e-6;
  const most = Math.max(Math.abs(low), Math.abs(high));
  const out: Tick[] = [];
  const first = Math.ceil((low - slack - from) / step);
  for (let k = 0; k <= MOST; k++) {
    const value = Number((from + (first + k) * step).toPrecision(12));
    if (!(value <= high + slack)) break;
    out.push({ at: value, text: textOf(axis, value, step, most) });
  }
  return out;
}

function powers(axis: Axis, rough: number): Tick[] {
  const [low, high] = [Math.min(...axis.range), Math.max(...axis.range)];
  const own = stepOf(axis.given.dtick);
  if (high - low < 1 && own === undefined && rough <= 0.7) {
    // No power of ten may be in sight: round distances between the values themselves.
    const [from, to] = [10 ** low, 10 ** high];
    const count = (1.5 * (high - low)) / rough;
    const linear: Axis = { ...axis, type: "linear", range: [from, to] };
    return spaced(linear, roundStep((to - from) / count), 0).flatMap(({ at }) =>
      at > 0 ? [{ at: Math.log10(at), text: textOf(axis, at, at, at) }] : [],
    );
  }
  const step = own ?? Math.ceil(rough);
  const factors =
    own !== undefined || rough > 0.7 ? [1] : rough > 0.3 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const out: Tick[] = [];
  for (let power = Math.floor(low); power <= high && out.length < MOST; power++) {
    if (factors.length === 1 && power % Math.max(1, Math.round(step)) !== 0) continue;
    for (const factor of factors) {
      const at = power + Math.log10(factor);
      if (at < low - 1e-9 || at > high + 1e-9) continue;
      const value = factor * 10 ** power;
      // Between powers the leading figure is enough.
      const text =
        factor > 1 && !axis.given.tickformat ? String(factor) : textOf(axis, value, value / 10, value);
      out.push({ at, text });
    }
  }
  return out;
}
