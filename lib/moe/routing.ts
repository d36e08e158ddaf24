// Who goes where: the choices of every router on a text, and what they say of the experts. Looks at the network through its
// hooks; changes nothing.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import type { Hooks } from "../model/hooks.ts";
import { idsOf, type Prompt } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { lastHidden } from "../model/network.ts";
import { checkNumber } from "../options.ts";
import { expertLoad } from "../plot/expert-load.ts";
import { expertMap } from "../plot/expert-map.ts";
import { expertPairs } from "../plot/expert-pairs.ts";
import { expertTime } from "../plot/expert-time.ts";
import { expertTypes } from "../plot/expert-types.ts";
import { Figure } from "../plot/figure.ts";
import { untrack } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { biasName, type Experts } from "./experts.ts";
import { routed } from "./router.ts";
import { TYPES, tokenType } from "./token-types.ts";

/** A row that an expert worked on. */
export interface Choice {
  token: number;
  expert: number;
  gate: number;
}

/**
 * Reads a text as training does: what is longer than the context in pieces of it, which do not see each other, and an expert's
 * capacity and the choice of experts hold over all of its tokens.
 */
export async function routing(model: Model, prompt: Prompt): Promise<Routing> {
  const { experts, layers } = model.config;
  if (!experts)
    throw new LensorError(`model.routing: ${model.name} has no experts to route to`, {
      expected: "a model with experts",
      fix: "Make one: await model.upcycle({ experts: 8, topK: 2 }).",
    });
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  const found: Tensor[][] = [];
  const weights = model.weights();
  const hooks: Hooks = {
    router: (x, { layer }) => {
      const bias = experts.router === "sigmoid" ? weights.vector(biasName(layer)) : undefined;
      const { tokens, gates, offsets } = routed(experts, x, bias);
      // They outlive the pass.
      for (const one of [tokens, gates, offsets]) untrack(one);
      found[layer] = [tokens, gates, offsets];
      return undefined;
    },
  };
  const offsets = Array.from({ length: Math.ceil(ids.length / model.context) }, (_, i) => i * model.context);
  const packed = { ids, offsets: [...offsets, ids.length] };
  noGrad(() => lastHidden(model.config, weights, packed, "f32", { hooks }).dispose());
  const choices: Choice[][] = [];
  for (let layer = 0; layer < layers; layer++) {
    const [tokens, gates, ends] = await Promise.all(found[layer]!.map((one) => one.data()));
    for (const one of found[layer]!) one.dispose();
    choices.push(choicesOf(tokens as BigInt64Array, gates as Float32Array, ends as BigInt64Array));
  }
  const texts = ids.map((id) => model.tokenizer.decode([id]));
  return new Routing({ model: model.name, experts, tokens: texts, choices });
}

function choicesOf(tokens: BigInt64Array, gates: Float32Array, ends: BigInt64Array): Choice[] {
  const all: Choice[] = [];
  for (let expert = 0; expert + 1 < ends.length; expert++)
    for (let row = Number(ends[expert]); row < Number(ends[expert + 1]); row++)
      all.push({ token: Number(tokens[row]), expert, gate: gates[row]! });
  return all;
}

/** Who goes where: the choices of every router on a text, and what they say of the experts. */
export class Routing {
  readonly model: string;
  readonly experts: Experts;
  readonly tokens: readonly string[];
  /** Of each layer, by expert and then by token. */
  readonly choices: readonly (readonly Choice[])[];

  /** @internal Use `model.routing(text)`. */
  constructor(parts: Pick<Routing, "model" | "experts" | "tokens" | "choices">) {
    this.model = parts.model;
    this.experts = parts.experts;
    this.tokens = parts.tokens;
    this.choices = parts.choices;
  }

  get layers(): number {
    return this.choices.length;
  }

  /** The share of a layer's choices that each expert got, `[layers, experts]`, row-major. */
  get load(): Float32Array {
    const { count } = this.experts;
    const load = new Float32Array(this.layers * count);
    this.choices.forEach((all, layer) => {
      for (const { expert } of all) load[layer * count + expert]! += 1 / Math.max(1, all.length);
    });
    return load;
  }

  /** How much the load differs between experts: standard deviation over mean, of each layer; 0 where all are alike. */
  get variation(): number[] {
    const { count } = this.experts;
    const { load } = this;
    return Array.from({ length: this.layers }, (_, layer) => {
      const own = load.subarray(layer * count, (layer + 1) * count);
      return Math.sqrt(own.reduce((sum, x) => sum + (x * count - 1) ** 2, 0) / count);
    });
  }

  /** How many of the tokens' choices found an expert full, as a share. */
  get dropped(): number {
    const { topK, router } = this.experts;
    if (router === "expertChoice") return 0;
    const all = this.layers * this.tokens.length * topK;
    return 1 - this.choices.reduce((sum, { length }) => sum + length, 0) / all;
  }

  /** The load of every expert in every layer. */
  plot(): Figure {
    const { model, experts, layers, load } = this;
    const input = {
      model,
      count: experts.count,
      topK: experts.topK,
      layers,
      load,
      tokens: this.tokens.length,
    };
    return new Figure(() => expertLoad({ ...input, dropped: this.dropped }));
  }

  /** The same as the text goes on: each expert's share of the choices in a window of tokens. */
  overTime({ layer = 0, window = 32 }: { layer?: number; window?: number } = {}): Figure {
    const choices = this.#layer("routing.overTime", layer);
    checkNumber("routing.overTime", "window", window, { least: 1, whole: true });
    const { model, experts, tokens } = this;
    return new Figure(() =>
      expertTime({ model, count: experts.count, topK: experts.topK, layer, choices, tokens, window }),
    );
  }

  /** Which expert each token goes to: the one with the largest gate, in every layer. */
  map({
    from = 0,
    to = Math.min(this.tokens.length, from + 48),
  }: {
    from?: number;
    to?: number;
  } = {}): Figure {
    checkNumber("routing.map", "from", from, { least: 0, most: this.tokens.length - 1, whole: true });
    checkNumber("routing.map", "to", to, { least: from + 1, most: this.tokens.length, whole: true });
    const { model, experts, tokens, choices } = this;
    return new Figure(() => expertMap({ model, count: experts.count, choices, tokens, from, to }));
  }

  /** What each expert is sent more or less of than the others, by kinds of tokens. Over all layers unless one is named. */
  byType({ layer }: { layer?: number } = {}): Figure {
    const choices = layer === undefined ? undefined : [this.#layer("routing.byType", layer)];
    // Expert 3 of one layer has nothing to do with expert 3 of another: without a layer each stands by itself.
    const { model, experts, tokens } = this;
    const types = tokens.map(tokenType);
    const all = (choices ?? this.choices).map((one, i) => ({ layer: layer ?? i, choices: one }));
    return new Figure(() => expertTypes({ model, count: experts.count, types, names: TYPES, layers: all }));
  }

  /** Which experts a token has together more often than chance would bring them together. */
  pairs({ layer = 0 }: { layer?: number } = {}): Figure {
    const choices = this.#layer("routing.pairs", layer);
    const { model, experts, tokens } = this;
    if (experts.topK < 2)
      throw new LensorError("routing.pairs: a token has one expert, and so no pairs", {
        expected: "a model with topK of 2 or more",
        got: String(experts.topK),
      });
    return new Figure(() =>
      expertPairs({ model, count: experts.count, layer, choices, tokens: tokens.length }),
    );
  }

  /** One row an expert of a layer: layer, expert, rows, share, gate (mean). */
  table(): Table {
    const rows = this.choices.flatMap((all, layer) =>
      Array.from({ length: this.experts.count }, (_, expert) => {
        const own = all.filter((one) => one.expert === expert);
        const gate = own.reduce((sum, one) => sum + one.gate, 0) / Math.max(1, own.length);
        return { layer, expert, rows: own.length, share: own.length / Math.max(1, all.length), gate };
      }),
    );
    return tableFromArrays({
      layer: Int32Array.from(rows, (row) => row.layer),
      expert: Int32Array.from(rows, (row) => row.expert),
      rows: Int32Array.from(rows, (row) => row.rows),
      share: Float64Array.from(rows, (row) => row.share),
      gate: Float64Array.from(rows, (row) => row.gate),
    });
  }

  #layer(call: string, layer: unknown): readonly Choice[] {
    checkNumber(call, "layer", layer, { least: 0, most: this.layers - 1, whole: true });
    return this.choices[layer as number]!;
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
