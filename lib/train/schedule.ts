// How the learning rate goes over a run. A schedule is a record whose `at(step, steps)` gives the rate of a step, counted from
// 0, of so many; each is checked against its namesake in transformers or torch. Pure.

import { checkChoice, checkNames, checkNumber } from "../options.ts";
import type { Json } from "./objective.ts";

/** How the learning rate goes over a run. */
export interface Schedule {
  /** Of the exported call. */
  readonly name: string;
  /** What it was made with. */
  readonly options: { readonly [name: string]: Json };
  /** The rate of step `step`, from 0 to `steps` - 1. */
  at(step: number, steps: number): number;
}

export interface WarmupOptions {
  /** Steps over which the rate rises in a line from 0. */
  warmup?: number;
}

/** `peak` after the warmup; as transformers' constant_with_warmup. */
export function constant(peak: number, options: WarmupOptions = {}): Schedule {
  const { warmup } = checked("constant", peak, options, []);
  return made("constant", { peak, warmup }, (step) => peak * rise(step, warmup));
}

export interface LinearOptions extends WarmupOptions {
  /** Where it ends, as a share of the peak. */
  floor?: number;
}

/** Falls in a line from the peak to `floor` x peak; as transformers' linear. */
export function linear(peak: number, options: LinearOptions = {}): Schedule {
  const { warmup, floor } = checked("linear", peak, options, ["floor"]);
  return made("linear", { peak, warmup, floor }, (step, steps) => {
    if (step < warmup) return peak * rise(step, warmup);
    return peak * mixed(floor, Math.max(0, (steps - step) / Math.max(1, steps - warmup)));
  });
}

/** Falls along half a cosine from the peak to `floor` x peak (Loshchilov and Hutter 2017); as transformers' cosine. */
export function cosine(peak: number, options: LinearOptions = {}): Schedule {
  const { warmup, floor } = checked("cosine", peak, options, ["floor"]);
  return made("cosine", { peak, warmup, floor }, (step, steps) => {
    if (step < warmup) return peak * rise(step, warmup);
    const done = (step - warmup) / Math.max(1, steps - warmup);
    return peak * mixed(floor, Math.max(0, 0.5 * (1 + Math.cos(Math.PI * done))));
  });
}

export interface WsdOptions extends LinearOptions {
  /** Steps at the end over which it falls; a fifth of all by default. */
  decay?: number;
  /** How it falls. */
  shape?: "cosine" | "linear" | "1-sqrt";
}

/** Warmup, stable, decay (Hu et al. 2024, MiniCPM): stays at the peak until the last `decay` steps; as transformers' warmup_stable_decay. */
export function wsd(peak: number, options: WsdOptions = {}): Schedule {
  const { warmup, floor } = checked("wsd", peak, options, ["floor", "decay", "shape"]);
  const { decay, shape = "cosine" } = options;
  if (decay !== undefined) checkNumber("wsd", "decay", decay, { least: 0, whole: true });
  checkChoice("wsd", "shape", shape, ["cosine", "linear", "1-sqrt"]);
  const told = { peak, warmup, floor, shape, ...(decay !== undefined && { decay }) };
  return made("wsd", told, (step, steps) => {
    // There the warmup, too, begins at the floor.
    if (step < warmup) return peak * mixed(floor, rise(step, warmup));
    const falling = decay ?? Math.round(steps / 5);
    const begins = steps - falling;
    if (step < begins) return peak;
    const done = Math.min(1, (step - begins) / Math.max(1, falling));
    return peak * mixed(floor, Math.max(0, FALLS[shape](done)));
  });
}

const FALLS = {
  cosine: (done: number) => 0.5 * (1 + Math.cos(Math.PI * done)),
  linear: (done: number) => 1 - done,
  "1-sqrt": (done: number) => 1 - Math.sqrt(done),
};

export interface OneCycleOptions {
  /** Share of the steps over which it rises. */
  rise?: number;
  /** It starts at peak / `start`, and ends at that / `end`. */
  start?: number;
  /** It ends at its start / `end`, see `start`. */
  end?: number;
  /** Of the way up and down: "cosine" by default. */
  shape?: "cosine" | "linear";
}

/** Up to the peak and down to next to nothing (Smith and Topin 2018); as torch's OneCycleLR in two phases, momentum left alone. */
export function oneCycle(peak: number, options: OneCycleOptions = {}): Schedule {
  checkNames("oneCycle", options, ["rise", "start", "end", "shape"]);
  checkNumber("oneCycle", "peak", peak, { least: 0 });
  const { rise: share = 0.3, start = 25, end = 1e4, shape = "cosine" } = options;
  checkNumber("oneCycle", "rise", share, { least: 0, most: 1 });
  checkNumber("oneCycle", "start", start, { least: 0, above: true });
  checkNumber("oneCycle", "end", end, { least: 0, above: true });
  checkChoice("oneCycle", "shape", shape, ["cosine", "linear"]);
  const between = (from: number, to: number, done: number) =>
    shape === "linear" ? from + (to - from) * done : to + ((from - to) / 2) * (1 + Math.cos(Math.PI * done));
  const [low, last] = [peak / start, peak / start / end];
  return made("oneCycle", { peak, rise: share, start, end, shape }, (step, steps) => {
    const top = share * steps - 1;
    if (step <= top) return between(low, peak, top > 0 ? step / top : 1);
    return between(peak, last, Math.min(1, (step - top) / Math.max(1e-9, steps - 1 - top)));
  });
}

/** A number is a constant schedule. @throws LensorError for what is neither */
export function scheduleOf(call: string, lr: unknown): Schedule {
  const own = lr as Partial<Schedule> | null | undefined;
  if (typeof own?.at === "function" && typeof own.name === "string") return own as Schedule;
  checkNumber(call, "lr", lr, { least: 0 });
  return constant(lr as number);
}

/** Of the peak, while it rises. */
function rise(step: number, warmup: number): number {
  return step < warmup ? step / Math.max(1, warmup) : 1;
}

function mixed(floor: number, share: number): number {
  return floor + (1 - floor) * share;
}

function made(name: string, options: Schedule["options"], at: Schedule["at"]): Schedule {
  return { name, options, at };
}

function checked(call: string, peak: number, options: LinearOptions, more: readonly string[]) {
  checkNames(call, options, ["warmup", ...more]);
  checkNumber(call, "peak", peak, { least: 0 });
  const { warmup = 0, floor = 0 } = options;
  checkNumber(call, "warmup", warmup, { least: 0, whole: true });
  checkNumber(call, "floor", floor, { least: 0, most: 1 });
  return { warmup, floor };
}
