// Where in the network a fact is: two prompts that differ in a word, and what one holds at a place is put into the run of the
// other, one place at a time (Meng et al. 2022; Wang et al. 2022). The share that comes back of the difference in a number:
//   restored = (number(patched) − number(corrupted)) / (number(clean) − number(corrupted)),  1 all of it, 0 nothing

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import type { Place } from "../model/hooks.ts";
import { checkContext, idsOf, type Prompt } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { checkChoice, checkNames } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { headGrid, headNames } from "../plot/head-grid.ts";
import { patchGrid } from "../plot/patch-grid.ts";
import { showProgress } from "../progress.ts";
import { type Provenance, provenance } from "../provenance.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { activation, seen, tensorsOf } from "./activations.ts";
import { type Effect, type EffectFunction, effectOf } from "./effect.ts";
import { Variants } from "./variants.ts";

/** Places that are patched one token at a time, or ("head") one head at a time with all its tokens. */
const PATCHED = ["residual", "attention", "middle", "mlp", "head"] as const;
/** "residual", "attention", "middle", "mlp" (see `PLACES`), or "head": each head by itself. */
export type PatchedPlace = (typeof PATCHED)[number];

export interface PatchOptions {
  /** What is exchanged: the stream entering each layer at each token, what attention or MLP adds there, or each head. */
  place?: PatchedPlace;
  /** What it is judged by: the difference of two logits, usually. */
  effect: Effect | EffectFunction;
}

/** Puts what `clean` holds into the run of `corrupted`, one place at a time. One pass a layer, for all its places. */
export async function patch(
  model: Model,
  { clean, corrupted }: { clean: Prompt; corrupted: Prompt },
  options: PatchOptions,
): Promise<Patching> {
  checkNames("model.patch", options, ["place", "effect"]);
  const { place = "residual" } = options ?? {};
  checkChoice("model.patch", "place", place, PATCHED);
  if (options?.effect === undefined)
    throw new LensorError("model.patch needs a number to judge by", {
      expected: 'effect: effect.logitDifference(" Rome", " Paris"), say',
      got: "none",
    });
  const effect = effectOf("model.patch", options.effect);
  const [from, into] = pairOf(model, clean, corrupted);
  const { layers, heads } = model.config;
  const source = seen(model, from, {});
  const [there, here] = [new Variants(model, from, effect), new Variants(model, into, effect)];
  const progress = showProgress(`${model.name} patched`, layers, {
    amount: (done, total) => `${done} of ${total} layers`,
    afterMs: 1000,
  });
  try {
    const [best, worst] = [await there.base(), await here.base()];
    if (best === worst)
      throw new LensorError("model.patch: both prompts give the same number", {
        expected: `two prompts that differ in ${effect.name}`,
        got: String(best),
      });
    const columns = place === "head" ? heads : from.length;
    const restored = new Float32Array(layers * columns);
    for (let layer = 0; layer < layers; layer++) {
      const theirs = activation(model, source, place, layer);
      const put = (x: Tensor, first: number, n: number) => exchanged(x, theirs, place, first, n);
      const values = await here.run(layer, place, columns, put);
      values.forEach((value, i) => {
        restored[layer * columns + i] = (value - worst) / (best - worst);
      });
      theirs.dispose();
      progress.update(layer + 1);
    }
    progress.end(`${model.name}: ${layers * columns} places patched, one at a time`);
    return new Patching(model, { clean: from, corrupted: into, place, effect, best, worst, restored });
  } catch (error) {
    progress.end("Stopped: places were left out");
    throw error;
  } finally {
    there.dispose();
    here.dispose();
    for (const one of tensorsOf(source)) one.dispose();
  }
}

/** x `[n, T, ...]`: run i has `theirs` at token `first + i`, or at head `first + i`. */
function exchanged(x: Tensor, theirs: Tensor, place: Place, first: number, n: number): Tensor {
  const axis = place === "head" ? 2 : 1;
  const size = x.shape[axis]!;
  const own = tensor(
    Array.from({ length: n }, (_, i) => Array.from({ length: size }, (_, j) => j !== first + i)),
  );
  return x.where(own.reshape(x.shape.map((_, i) => (i === 0 ? n : i === axis ? size : 1))), theirs);
}

/** How much of the difference each place carries. */
export class Patching {
  readonly model: Model;
  readonly place: PatchedPlace;
  readonly effect: Effect;
  /** Ids of both prompts. */
  readonly clean: readonly number[];
  readonly corrupted: readonly number[];
  /** The number of the clean run, and of the corrupted. */
  readonly best: number;
  readonly worst: number;
  /** The share of the difference that each place brings back, `[layers, tokens]` or `[layers, heads]`, row-major. */
  readonly restored: Float32Array;
  readonly provenance: Provenance;

  /** @internal Use `model.patch({ clean, corrupted }, { effect })`. */
  constructor(
    model: Model,
    made: {
      clean: number[];
      corrupted: number[];
      place: PatchedPlace;
      effect: Effect;
      best: number;
      worst: number;
      restored: Float32Array;
    },
  ) {
    this.model = model;
    this.place = made.place;
    this.effect = made.effect;
    this.clean = made.clean;
    this.corrupted = made.corrupted;
    this.best = made.best;
    this.worst = made.worst;
    this.restored = made.restored;
    const facts = { place: made.place, effect: made.effect.name, tokens: made.clean.length };
    this.provenance = provenance(model.name, facts);
  }

  /** Layers by tokens, or layers by heads. */
  plot(): Figure {
    const { model, restored, place, effect, clean, corrupted } = this;
    return new Figure(() => {
      const { layers, heads } = model.config;
      if (place !== "head")
        return patchGrid({
          ...{ restored, layers, place, effect: effect.name, best: this.best, worst: this.worst },
          clean: clean.map((id) => model.tokenizer.token(id)),
          corrupted: corrupted.map((id) => model.tokenizer.token(id)),
          model: model.name,
        });
      const top = headNames(restored, heads, 3);
      return headGrid({
        ...{ values: restored, layers, heads, signed: true },
        title: `Head ${top[0]!.name} alone brings back ${Math.round(top[0]!.value * 100)} % of the difference; then ${top[1]!.name} and ${top[2]!.name}`,
        subtitle: `${model.name}, each head's output from the clean prompt in the corrupted run, exact mode, ${clean.length} tokens; share of the difference in ${effect.name}`,
        bar: "share restored",
      });
    });
  }

  /** One row a place: layer, position and tokens of both prompts, or head; restored. */
  table(): Table {
    const columns = this.restored.length / this.model.config.layers;
    const at = Int32Array.from(this.restored, (_, i) => i % columns);
    const tokens = (ids: readonly number[]) => Array.from(at, (i) => this.model.tokenizer.token(ids[i]!));
    return tableFromArrays({
      layer: Int32Array.from(this.restored, (_, i) => Math.floor(i / columns)),
      ...(this.place === "head"
        ? { head: at }
        : { position: at, clean: tokens(this.clean), corrupted: tokens(this.corrupted) }),
      restored: this.restored,
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

/** Two prompts that patching can compare. */
function pairOf(model: Model, clean: Prompt, corrupted: Prompt): [number[], number[]] {
  const [a, b] = [clean, corrupted].map((one) => idsOf(one, model.tokenizer, model.config.vocabulary)) as [
    number[],
    number[],
  ];
  if (a.length !== b.length)
    throw new LensorError("model.patch: the two prompts are not equally long", {
      expected: "as many tokens in one as in the other, so that each place has its counterpart",
      got: `${a.length} and ${b.length} tokens`,
      fix: "Exchange words for others of as many tokens; model.tokenizer.encode(text).ids counts them.",
    });
  checkContext(0, a.length, model.context);
  return [a, b];
}
