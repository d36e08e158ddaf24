// Heads by what they do. A text of random tokens said twice tells habits from meaning: nothing in it can be known but from the
// text itself. Means over queries of the weight on the token before (previous), on the token after the same token's first
// occurrence (induction: what came next last time; Olsson et al. 2022), on that occurrence itself (duplicate), on the first
// token (sink). From the scores along diagonals, so no map is made.

import { type Table, tableFromArrays } from "apache-arrow";
import { checkContext } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { checkChoice, checkNames, checkNumber } from "../options.ts";
import { percent } from "../plot/attention-parts.ts";
import { Figure } from "../plot/figure.ts";
import { headGrid, headNames, type NamedHead } from "../plot/head-grid.ts";
import { type Provenance, provenance } from "../provenance.ts";
import type { Tensor } from "../tensor/index.ts";
import { uniform } from "../tensor/random.ts";
import { rowMeans, statistics, weightsBack, weightsTo } from "./statistics.ts";
import { trace } from "./trace.ts";

export const HABITS = ["induction", "previous", "duplicate", "sink"] as const;
/**
 * "induction": the token after the same token's first occurrence; "previous": the token before; "duplicate": the same
 * token's first occurrence; "sink": the first token.
 */
export type Habit = (typeof HABITS)[number];

export interface HeadScoreOptions {
  /** Random tokens, which are then said again. */
  length?: number;
  /** How many such texts. */
  texts?: number;
  /** Of the random tokens: 0. */
  seed?: number;
}

export async function headScores(model: Model, options: HeadScoreOptions = {}): Promise<HeadScores> {
  checkNames("model.headScores", options, ["length", "texts", "seed"]);
  const { length = 64, texts = 2, seed = 0 } = options;
  checkNumber("model.headScores", "length", length, { least: 2, whole: true });
  checkNumber("model.headScores", "texts", texts, { least: 1, most: 1000, whole: true });
  checkNumber("model.headScores", "seed", seed, { least: 0, most: 2 ** 32 - 1, whole: true });
  checkContext(0, 2 * length, model.context);
  const { layers, heads } = model.config;
  const scores = Object.fromEntries(
    HABITS.map((habit) => [habit, new Float32Array(layers * heads)]),
  ) as Record<Habit, Float32Array>;
  const random = uniform(texts * length, seed);
  const ordinary = ordinaryIds(model);
  for (let text = 0; text < texts; text++) {
    const drawn = random.subarray(text * length, (text + 1) * length);
    const once = Array.from(drawn, (at) => ordinary[Math.floor(at * ordinary.length)]!);
    const read = await trace(model, [...once, ...once]);
    for (let layer = 0; layer < layers; layer++) {
      const { logSumExp, entropy, mass } = statistics(read, layer);
      const made: Tensor[] = [logSumExp, entropy, mass];
      const mean = (weights: Tensor, from = 0) => {
        made.push(weights);
        return rowMeans(weights, from);
      };
      // Query `length + i` is the same token as key i; the one after it stood at `i + 1`.
      const found: Record<Habit, Float32Array> = {
        induction: await mean(weightsBack(read, layer, length - 1, logSumExp), 1),
        previous: await mean(weightsBack(read, layer, 1, logSumExp), 1),
        duplicate: await mean(weightsBack(read, layer, length, logSumExp)),
        sink: await mean(weightsTo(read, layer, 0, logSumExp), 1),
      };
      for (const tensor of made) tensor.dispose();
      for (const habit of HABITS)
        found[habit].forEach((value, head) => {
          scores[habit][layer * heads + head]! += value / texts;
        });
    }
    read.dispose();
  }
  return new HeadScores(model, scores, { length, texts, seed });
}

/** Tokens that stand for text: not those that control, nor those that nothing is made of. */
function ordinaryIds({ tokenizer, config }: Model): number[] {
  return Array.from({ length: config.vocabulary }, (_, id) => id).filter((id) => {
    const text = tokenizer.token(id);
    return text.length > 1 && !/^<.*>$|^\[.*\]$|\ufffd/.test(text);
  });
}

const WORDS: Record<Habit, string> = {
  induction: "copies what came next last time",
  previous: "looks at the token before",
  duplicate: "looks at the same token's last place",
  sink: "rests on the first token",
};

/** How much each head has of each habit, from 0 to 1. */
export class HeadScores {
  readonly model: Model;
  /** Each `[layers, heads]`, row-major. */
  readonly scores: Readonly<Record<Habit, Float32Array>>;
  readonly provenance: Provenance;
  readonly #tokens: number;

  /** @internal Use `model.headScores()`. */
  constructor(
    model: Model,
    scores: Record<Habit, Float32Array>,
    options: { length: number; texts: number; seed: number },
  ) {
    this.model = model;
    this.scores = scores;
    this.provenance = provenance(model.name, options, options.seed);
    this.#tokens = options.length;
  }

  /** The heads with the most of a habit: `{ layer, head, score }`, the strongest first. */
  top(habit: Habit, count = 5): { layer: number; head: number; score: number }[] {
    checkChoice("scores.top", "habit", habit, HABITS);
    const { heads } = this.model.config;
    return headNames(this.scores[habit], heads, count).map(({ index, value }) => ({
      layer: Math.floor(index / heads),
      head: index % heads,
      score: value,
    }));
  }

  /** Layers by heads, one habit. */
  plot({ habit = "induction" }: { habit?: Habit } = {}): Figure {
    checkChoice("scores.plot", "habit", habit, HABITS);
    const { model, scores } = this;
    return new Figure(() => {
      const { layers, heads } = model.config;
      const top = headNames(scores[habit], heads, 4);
      return headGrid({
        ...{ values: scores[habit], layers, heads, most: 1 },
        title: finding(habit, top),
        subtitle: `${model.name}, exact mode, ${this.#tokens} random tokens said twice; mean weight each head gives to ${PLACES_OF[habit]}`,
        bar: `${habit} score`,
      });
    });
  }

  /** One row a head: layer, head, and each habit's score. */
  table(): Table {
    const { heads } = this.model.config;
    return tableFromArrays({
      layer: Int32Array.from(this.scores.sink, (_, i) => Math.floor(i / heads)),
      head: Int32Array.from(this.scores.sink, (_, i) => i % heads),
      ...this.scores,
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

const PLACES_OF: Record<Habit, string> = {
  induction: "the token after the one that was the same",
  previous: "the token before",
  duplicate: "the earlier place of the same token",
  sink: "the first token",
};

function finding(habit: Habit, [best, ...others]: NamedHead[]): string {
  const more = others.filter(({ value }) => value > 0.3 && value > best!.value / 2).map(({ name }) => name);
  const also = more.length ? `; so do ${more.join(", ")}` : "";
  return `Head ${best!.name} ${WORDS[habit]}, with ${percent(best!.value)} of its attention${also}`;
}
