// What a run's figure says and how far its axes go, from the rows alone. Axes grow by whole ticks, so that they stand still
// while the run is live. Pure.

import type { JournalData, Mark, Row } from "../train/journal.ts";
import { formatCount, formatDuration, formatValue } from "./format.ts";
import type { TrainingInput } from "./training.ts";

/** What a run is about, as loss and held-out loss, with the words above its panel. */
export interface Main extends TrainingInput {
  readonly name: string;
  readonly unit: string;
}

/** Where rewards are learnt from, the loss is near 0 throughout and says nothing: they stand in its place. */
export function mainOf(input: TrainingInput): Main {
  const held = "of the steps (line) and held out (points)";
  if (!input.facts.columns.includes("reward"))
    return { ...input, name: "loss", unit: input.startLoss === null ? "" : held };
  const rewards = (rows: readonly Row[]): Row[] =>
    rows.map((row) => ({ ...row, loss: row.reward ?? null, evalLoss: row.evalReward ?? null }));
  return {
    ...input,
    ...{ rows: rewards(input.rows), undone: rewards(input.undone), startLoss: input.startReward },
    ...{ name: "reward", unit: `mean over replies${input.startReward === null ? "" : `, ${held}`}` },
  };
}

/** Points of a line at most. */
const MOST = 700;

/**
 * Means over the last steps, exponentially weighted and without the start's bias; over a thirtieth of the run, so that what
 * was drawn does not change when more comes.
 */
export function smoothed(rows: readonly Row[], steps: number): Row[] {
  const keep = 1 - 2 / (Math.max(3, steps / 30) + 1);
  let [sum, weight] = [0, 0];
  return rows.map((row) => {
    sum = keep * sum + (1 - keep) * row.loss!;
    weight = keep * weight + (1 - keep);
    return { ...row, loss: sum / weight };
  });
}

/** Of every stretch of neighbours those with the least and the most loss: peaks stay. */
export function thinned(rows: readonly Row[]): readonly Row[] {
  if (rows.length <= MOST) return rows;
  const size = Math.ceil((2 * rows.length) / MOST);
  const out: Row[] = [];
  for (let at = 0; at < rows.length; at += size) {
    const some = rows.slice(at, at + size);
    const least = some.reduce((a, b) => (b.loss! < a.loss! ? b : a));
    const most = some.reduce((a, b) => (b.loss! > a.loss! ? b : a));
    out.push(...(least === most ? [least] : least.step! < most.step! ? [least, most] : [most, least]));
  }
  return out;
}

/** Of a linear axis: all values, and nine tenths of what the rows hold; a peak may leave it. Ends lie on whole ticks. */
export function bounds(values: readonly number[], rows: readonly Row[]): [number, number] {
  const raw = rows.map(({ loss }) => loss!).toSorted((a, b) => a - b);
  const at = (share: number) => raw[Math.min(raw.length - 1, Math.floor(share * raw.length))]!;
  const all = [...values, ...(raw.length > 0 ? [at(0.02), at(0.98)] : [])].filter(Number.isFinite);
  if (all.length === 0) return [0, 1];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const tick = niceTick(high - low || Math.abs(high) || 1);
  const bottom = Math.floor(low / tick - 0.1) * tick;
  // What is never negative has no room below 0, but for its own line.
  return [low >= 0 ? Math.max(bottom, -0.1 * tick) : bottom, Math.ceil(high / tick + 0.1) * tick];
}

/** Powers of ten. */
export function logBounds(values: readonly number[]): [number, number] {
  if (values.length === 0) return [-1, 1];
  const half = (value: number) => Math.log10(value) * 2;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return [Math.floor(half(low) - 0.1) / 2, Math.ceil(half(high) + 0.1) / 2];
}

/** A round quarter of a span: 1, 2 or 5 times a power of ten. */
function niceTick(span: number): number {
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
}

const WORDS: Partial<Record<Mark["kind"], string>> = {
  ...{ skipped: "batch left out", spike: "spike", rollback: "back", resumed: "resumed", stopped: "stopped" },
};

/** One a step, in few words; the first ones, for there is no room for more. */
export function shownMarks({ marks }: JournalData): { step: number; text: string }[] {
  const at = new Map<number, string[]>();
  for (const { step, kind } of marks) {
    const word = step > 0 && WORDS[kind];
    if (word && !at.get(step)?.includes(word)) at.set(step, [...(at.get(step) ?? []), word]);
  }
  return [...at].slice(0, 5).map(([step, words]) => ({ step, text: words.join(", ") }));
}

/** The finding: how far the loss came, in what is held out where there is such, and what stopped it. */
export function titleOf(input: TrainingInput): string {
  const { rows, facts, marks, startLoss, state, seconds } = input;
  const last = rows.at(-1);
  if (!last) return state === "failed" ? "Failed before the first step" : `${facts.steps} steps are to come`;
  const stop = state === "stopped" ? marks.findLast(({ kind }) => kind === "stopped") : undefined;
  const scored = rows.findLast(({ evalLoss }) => evalLoss !== null)?.evalLoss ?? null;
  const smooth = smoothed(rows, facts.steps);
  const change = facts.columns.includes("reward")
    ? rewarded(input)
    : startLoss !== null && scored !== null
      ? changed("Held-out loss", startLoss, scored, facts.objective === "nextToken")
      : changed("Loss", smooth[0]!.loss!, smooth.at(-1)!.loss!, false);
  if (state === "running" || state === "paused") {
    const left = (seconds / last.step!) * (facts.steps - last.step!);
    return `${change}; ${state === "paused" ? "paused" : `about ${formatDuration(left)} left`}`;
  }
  if (state === "failed")
    return `Failed after step ${formatCount(last.step!)}; ${change.toLowerCase()} until then`;
  return stop ? `${change}; stopped at step ${formatCount(stop.step)}: ${stop.text}` : change;
}

/**
 * Of a run that learns from rewards these are the finding, held-out ones where there are any: single steps draw few replies, so
 * a tenth of all at each end.
 */
function rewarded({ rows, startReward }: TrainingInput): string {
  const last = rows.findLast(({ evalReward }) => typeof evalReward === "number")?.evalReward;
  if (startReward !== null && typeof last === "number")
    return changed("Held-out reward", startReward, last, false);
  const count = Math.max(1, Math.round(rows.length / 10));
  const mean = (some: readonly Row[]) => some.reduce((sum, { reward }) => sum + (reward ?? 0), 0) / count;
  return changed("Mean reward", mean(rows.slice(0, count)), mean(rows.slice(-count)), false);
}

function changed(what: string, from: number, to: number, inPerplexity: boolean): string {
  const verb = to < from ? "fell" : to > from ? "rose" : "stayed";
  const base =
    verb === "stayed"
      ? `${what} stayed at ${formatValue(to)}`
      : `${what} ${verb} from ${formatValue(from)} to ${formatValue(to)}`;
  if (!inPerplexity || verb === "stayed") return base;
  const share = Math.exp(to - from) - 1;
  return `${base}: perplexity ${share < 0 ? "down" : "up"} ${formatValue(100 * Math.abs(share))} %`;
}
