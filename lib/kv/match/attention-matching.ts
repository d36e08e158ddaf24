// Attention Matching (Zweiger et al. 2026, arXiv 2602.16284): a few keys of each head, biased so that they have the mass of
// all, with values fitted so that they mix to what all mixed to, for queries that are taken as a reference. Relies on
// layer.ts for the arithmetic and budgets.ts for how many keys a head gets.

import { LensorError } from "../../errors.ts";
import { checkChoice, checkFlag, checkNumber } from "../../options.ts";
import type { Tensor } from "../../tensor/index.ts";
import { bestOf, type Counts, uniform } from "../budget.ts";
import type { HeadPlan, LayerSource, Method, Observed, Plan, Queries, Room, Source } from "../method.ts";
import { checkRatio, optionsOf, withLayer } from "../select/selection.ts";
import { byCurves, type ErrorCurve } from "./budgets.ts";
import { curvesOf } from "./curves.ts";
import { type Look, look, matched, type Pursuit, SCORES } from "./layer.ts";
import { turnedBehind } from "./turned.ts";

export interface AttentionMatchingOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /**
   * Which keys: those that queries see most (`"hak"`, the default), or those whose mass is nearest to the mass of all, by
   * orthogonal matching pursuit, one at a time (`"omp"`) or four at a time (`"ompFast"`).
   */
  select?: "hak" | "omp" | "ompFast";
  /** Of the text's own tokens (the default), of the text read a second time, or of the model's answers about it. */
  queries?: "context" | "repeat" | "selfStudy";
  /** Reference queries a KV head: 1024. */
  perHead?: number;
  /** A text's own queries are turned as though they stood among so many tokens behind it; 0: they stay where they stand. */
  horizon?: number;
  /** How much of a key queries see: the root of the mean square of its weights (the default), their mean or their largest. */
  score?: keyof typeof SCORES;
  /**
   * Biases that bring back the mass: true, and then a query counts for the part of its mass that is missed. `"paper"`: as the
   * paper's implementation finds them, and a pursuit's keys, where a query counts for as many keys as it sees.
   */
  beta?: boolean | "paper";
  /** Values that bring back the mix: true; else those of the kept keys. */
  fit?: boolean;
  /** Room for heads by what each would lose (`"curve"`, the default), or the same for all. */
  budgets?: "curve" | "uniform";
  /** Each layer's queries come from a model that reads the smaller cache below: false. Not with queries of the context. */
  onPolicy?: boolean;
}

type Settings = Required<Omit<AttentionMatchingOptions, "ratio">>;

const PURSUITS = { omp: { atOnce: 1, interval: 1 }, ompFast: { atOnce: 4, interval: 2 } } as const;

/**
 * Attention Matching (Zweiger et al. 2026, arXiv 2602.16284): a few keys of each head, biased so that they have the mass of
 * all, with values fitted so that they mix to what all mixed to, for queries that are taken as a reference.
 *
 * Keys S of each head with biases b and values C, so that for reference queries q
 *   sum_S exp(q k / sqrt(d) + b) ~ sum_all exp(q k / sqrt(d)),   softmax_S(q k / sqrt(d) + b) C ~ softmax_all(q k / sqrt(d)) v
 */
export function attentionMatching(given?: AttentionMatchingOptions): Method {
  const name = "attentionMatching";
  const { options, ratio } = optionsOf<Settings>(name, given, {
    ...{
      select: "hak",
      queries: "context",
      perHead: 1024,
      horizon: 256,
      score: "rms",
      beta: true,
      fit: true,
    },
    ...{ budgets: "curve", onPolicy: false },
  });
  checkChoice(name, "select", options.select, ["hak", "omp", "ompFast"]);
  checkChoice(name, "queries", options.queries, ["context", "repeat", "selfStudy"]);
  checkNumber(name, "perHead", options.perHead, { least: 1, most: 1 << 20, whole: true });
  checkNumber(name, "horizon", options.horizon, { least: 0, most: 1 << 20, whole: true });
  checkChoice(name, "score", options.score, Object.keys(SCORES));
  if (options.beta !== "paper") checkFlag(name, "beta", options.beta);
  checkFlag(name, "fit", options.fit);
  checkChoice(name, "budgets", options.budgets, ["curve", "uniform"]);
  checkFlag(name, "onPolicy", options.onPolicy);
  if (options.onPolicy && options.queries === "context")
    throw new LensorError(`${name}: a text's own queries are there before anything is compacted`, {
      expected: `queries: "repeat" or "selfStudy" where onPolicy is true`,
      got: `queries: "context"`,
    });
  return new AttentionMatching(options, checkRatio(name, ratio));
}

class AttentionMatching implements Method {
  readonly name = "attentionMatching";
  readonly ratio: number | undefined;
  readonly options: Readonly<Settings>;

  constructor(options: Settings, ratio: number | undefined) {
    this.options = options;
    this.ratio = ratio;
  }

  at(ratio: number): AttentionMatching {
    return new AttentionMatching(this.options, checkRatio(this.name, ratio));
  }

  async plan(source: Source, room: Room): Promise<Plan> {
    const { queries: of, perHead, onPolicy } = this.options;
    const which: Queries = { of, perHead };
    const layers: Seen[] = [];
    try {
      await source.observe(which, async (seen) => {
        layers.push(await withLayer(source, seen.layer, (stored) => this.#see(source, stored, seen)));
        source.progress(((seen.layer + 1) / source.layers) * 0.6);
        return undefined;
      });
      const counts = await this.#share(source, room, layers);
      const heads: (readonly HeadPlan[])[] = [];
      const errors: Errors[] = [];
      const settle = async (layer: number, seen: Seen) => {
        const made = await withLayer(source, layer, (stored) => this.#settle(stored, seen, counts[layer]!));
        heads.push(made.heads);
        errors.push(made.errors);
        source.progress(0.6 + ((layer + 1) / source.layers) * 0.4);
        return made.heads;
      };
      if (onPolicy)
        await source.observe(which, async (seen) => this.#onPolicy(source, seen, settle), { settle: true });
      else for (const [layer, seen] of layers.entries()) await settle(layer, seen);
      return { heads, notes: notesOf(errors) };
    } finally {
      for (const seen of layers) disposeSeen(seen);
    }
  }

  /** What is needed of a layer before it is known how many keys its heads may keep. */
  async #see(source: Source, stored: LayerSource, observed: Observed): Promise<Seen> {
    const { budgets, score, select, queries: of, horizon } = this.options;
    const turned = of === "context" && horizon ? turnedBehind(source, observed, horizon) : undefined;
    const [H, , d] = stored.keys.shape as [number, number, number];
    const queries = (turned ?? observed.queries).reshape(H, -1, d).clone();
    turned?.dispose();
    const { counts: held, bias } = stored;
    const biased = bias !== undefined;
    // Pursuit looks for itself, once it is known how many keys it is to find.
    if (select !== "hak" && budgets === "uniform") return { queries, held, biased };
    const seen = look(stored, queries, score);
    const scores = rowsOf((await seen.scores.data()) as Float32Array, stored.counts);
    const curves = budgets === "curve" ? await curvesOf(stored, seen, scores) : undefined;
    return { queries, look: seen, scores, held, curves, biased };
  }

  async #share(source: Source, room: Room, layers: readonly Seen[]): Promise<Counts> {
    const keys = room.keys(this.options.beta !== false || layers.some(({ biased }) => biased));
    const held = layers.map((one) => one.held);
    const least = source.layers * source.kvHeads;
    if (keys < least)
      throw new LensorError(`${this.name}: a ratio of ${room.ratio} leaves less than one key a head`, {
        expected: `a ratio that leaves ${least} keys, one for each KV head of each layer`,
        got: `room for ${keys}`,
        fix: `Ask for a lower ratio: this text has ${source.length} tokens.`,
      });
    if (this.options.budgets === "uniform") return uniform({ held, keys, scores: [] });
    return byCurves(
      await Promise.all(layers.map(({ curves }, layer) => curves!(source.model, layer))),
      held,
      keys,
    );
  }

  async #onPolicy(
    source: Source,
    seen: Observed,
    settle: (layer: number, seen: Seen) => Promise<readonly HeadPlan[]>,
  ): Promise<readonly HeadPlan[]> {
    const fresh = await withLayer(source, seen.layer, (stored) => this.#see(source, stored, seen));
    try {
      return await settle(seen.layer, fresh);
    } finally {
      disposeSeen(fresh);
    }
  }

  /** Keys, biases and values of one layer's heads. */
  async #settle(
    stored: LayerSource,
    seen: Seen,
    counts: readonly number[],
  ): Promise<{ heads: readonly HeadPlan[]; errors: Errors }> {
    const { select, beta, fit: values } = this.options;
    const pursuit = select !== "hak" && { ...PURSUITS[select], evenQueries: beta === "paper" ? 0 : 2 };
    const found = pursuit ? await pursued(stored, seen, { ...pursuit, wanted: counts }) : undefined;
    const picks = found?.picks ?? seen.scores!.map((scores, h) => bestOf(scores, counts[h]!));
    const weights = beta === false ? "none" : (found?.weights ?? (beta === "paper" ? "paper" : "solve"));
    const made = matched(stored, found?.look ?? seen.look!, picks, { weights, values });
    if (found) disposeLook(found.look);
    const [w, errors, had] = (await Promise.all([
      made.weights.data(),
      made.errors.data(),
      stored.bias?.data(),
    ])) as [Float32Array, Float32Array, Float32Array | undefined];
    const [room, T] = [made.weights.shape[1]!, stored.keys.shape[1]!];
    const heads = picks.map((keep, h): HeadPlan => {
      const before = (i: number) => (had ? had[h * T + keep[i]!]! : 0);
      return {
        keep,
        bias:
          beta !== false || had
            ? Float32Array.from(keep, (_, i) => before(i) + (beta === false ? 0 : Math.log(w[h * room + i]!)))
            : undefined,
        values: values ? made.values.at(h, [0, keep.length]).clone() : undefined,
      };
    });
    for (const one of [made.weights, made.values, made.errors]) one.dispose();
    return { heads, errors };
  }
}

/** What is kept of a layer that was looked at. */
interface Seen {
  /** Of each KV head, `[kvHeads, n, d]`. */
  readonly queries: Tensor;
  readonly look?: Look | undefined;
  readonly scores?: readonly Float32Array[] | undefined;
  readonly held: readonly number[];
  readonly curves?: ((model: Source["model"], layer: number) => Promise<readonly ErrorCurve[]>) | undefined;
  readonly biased: boolean;
}

/** `[2 kvHeads]`: with kept values and with fitted ones. */
type Errors = Float32Array;

/** A pursuit's weight below which a key brings nothing back. */
const LIGHT = Math.exp(-7);

/**
 * Keys by orthogonal matching pursuit, in the order of their places. Some hundred bring back all the mass that there is in so
 * many queries; what it picks then has no weight, and the keys that queries see most take that room. Where queries count for
 * their mass, as in the paper, the picks are its own, with its weights.
 */
async function pursued(
  stored: LayerSource,
  seen: Seen,
  pursuit: Pursuit,
): Promise<{ look: Look; picks: Int32Array[]; weights?: Float32Array[] }> {
  const made = look(stored, seen.queries, "rms", pursuit);
  const [picks, weights, found, scores] = (await Promise.all([
    made.picks!.data(),
    made.weights!.data(),
    made.found!.data(),
    made.scores.data(),
  ])) as [Int32Array, Float32Array, BigInt64Array, Float32Array];
  const room = made.picks!.shape[1]!;
  const heads = pursuit.wanted.map((_, h) => {
    const order = Array.from({ length: Number(found[h]!) }, (_, i) => h * room + i);
    return order.sort((a, b) => picks[a]! - picks[b]!);
  });
  if (pursuit.evenQueries === 0)
    return {
      look: made,
      picks: heads.map((order) => Int32Array.from(order, (i) => picks[i]!)),
      weights: heads.map((order) => Float32Array.from(order, (i) => weights[i]!)),
    };
  const all = rowsOf(scores, stored.counts);
  return {
    look: made,
    picks: heads.map((order, h) => {
      const worth = all[h]!.slice();
      for (const i of order) if (weights[i]! >= LIGHT) worth[picks[i]!] = Number.POSITIVE_INFINITY;
      return bestOf(worth, pursuit.wanted[h]!);
    }),
  };
}

function rowsOf(all: Float32Array, counts: readonly number[]): Float32Array[] {
  const T = all.length / counts.length;
  return counts.map((count, h) => all.subarray(h * T, h * T + count));
}

function disposeLook({ queries, scores, top, mass, out, picks, weights, found }: Look): void {
  for (const one of [queries, scores, top, mass, out, picks, weights, found]) one?.dispose();
}

function disposeSeen({ queries, look }: Seen): void {
  queries.dispose();
  if (look) disposeLook(look);
}

/** Relative errors of the outputs at the reference queries, by layer and head. */
function notesOf(errors: readonly Errors[]): Plan["notes"] {
  const of = (at: 0 | 1) =>
    errors.map((layer) => Array.from({ length: layer.length / 2 }, (_, h) => Math.sqrt(layer[2 * h + at]!)));
  return { expectedError: of(1), errorOfKeptValues: of(0) };
}
