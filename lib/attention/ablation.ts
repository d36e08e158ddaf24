// Which heads a text needs: each is silenced in turn, and what that does to a number (the loss) is its effect.
//   effect of head h = number(with z_h replaced) − number(as it is),  z_h the head's mix of values
// Zeros in place of z_h are the head's columns of W_o at zero; "mean" leaves what the head says on average over the text.

import { type Table, tableFromArrays } from "apache-arrow";
import { checkContext, idsOf, type Prompt } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { checkChoice, checkNames } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { formatValue } from "../plot/format.ts";
import { headGrid, headNames } from "../plot/head-grid.ts";
import { showProgress } from "../progress.ts";
import { type Provenance, provenance } from "../provenance.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { type Effect, type EffectFunction, effectOf } from "./effect.ts";
import { Variants } from "./variants.ts";

export interface AblationOptions {
  /** What stands in the head's place: nothing, or its mean over the text's tokens. */
  mode?: "zero" | "mean";
  /** What it is judged by; the loss where nothing is said. */
  effect?: Effect | EffectFunction;
}

/** Silences each head in turn. One pass a layer, for all its heads. */
export async function ablate(
  model: Model,
  prompt: Prompt,
  options: AblationOptions = {},
): Promise<HeadAblation> {
  checkNames("model.ablate", options, ["mode", "effect"]);
  const { mode = "zero" } = options;
  checkChoice("model.ablate", "mode", mode, ["zero", "mean"]);
  const effect = effectOf("model.ablate", options.effect);
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  checkContext(0, ids.length, model.context);
  const { layers, heads } = model.config;
  const variants = new Variants(model, ids, effect);
  const progress = showProgress(`${model.name} without each of its heads`, layers, {
    amount: (done, total) => `${done} of ${total} layers`,
    afterMs: 1000,
  });
  try {
    const base = await variants.base();
    const effects = new Float32Array(layers * heads);
    for (let layer = 0; layer < layers; layer++) {
      const values = await variants.run(layer, "head", heads, (z, from, n) => silenced(z, from, n, mode));
      values.forEach((value, head) => {
        effects[layer * heads + head] = value - base;
      });
      progress.update(layer + 1);
    }
    progress.end(`${model.name}: ${layers * heads} heads silenced, one at a time`);
    return new HeadAblation(model, ids, { base, effects, effect, mode });
  } catch (error) {
    progress.end("Stopped: heads were left out");
    throw error;
  } finally {
    variants.dispose();
  }
}

/** z `[n, T, heads, d]`: run i without head `from + i`. */
function silenced(z: Tensor, from: number, n: number, mode: "zero" | "mean"): Tensor {
  const heads = z.shape[2]!;
  const kept = tensor(
    Array.from({ length: n }, (_, i) => Array.from({ length: heads }, (_, h) => h !== from + i)),
  );
  const instead = mode === "zero" ? 0 : z.mean(1, { keepdim: true });
  return z.where(kept.reshape(n, 1, heads, 1), instead);
}

/** What silencing each head does. */
export class HeadAblation {
  readonly model: Model;
  readonly ids: readonly number[];
  readonly mode: "zero" | "mean";
  /** The number as it is, with every head. */
  readonly base: number;
  /** What it is judged by. */
  readonly effect: Effect;
  /** By how much the number changes without each head, `[layers, heads]`, row-major. */
  readonly effects: Float32Array;
  readonly provenance: Provenance;

  /** @internal Use `model.ablate(text)`. */
  constructor(
    model: Model,
    ids: readonly number[],
    made: { base: number; effects: Float32Array; effect: Effect; mode: "zero" | "mean" },
  ) {
    this.model = model;
    this.ids = ids;
    this.mode = made.mode;
    this.base = made.base;
    this.effect = made.effect;
    this.effects = made.effects;
    this.provenance = provenance(model.name, {
      mode: made.mode,
      effect: made.effect.name,
      tokens: ids.length,
    });
  }

  /** Layers by heads, one colour a head. */
  plot(): Figure {
    const { model, effects, effect, base, ids, mode } = this;
    return new Figure(() => {
      const { layers, heads } = model.config;
      const [most] = headNames(effects, heads, 1, Math.abs);
      const change = effects[most!.index]!;
      return headGrid({
        values: effects,
        layers,
        heads,
        title: `Without head ${most!.name} the ${effect.name} goes from ${formatValue(base)} to ${formatValue(base + change)}`,
        subtitle: `${model.name}, each head alone ${mode === "zero" ? "at zero" : "at its mean over the text"}, exact mode, ${ids.length} tokens; change in ${effect.name}`,
        bar: `change in ${effect.name}${effect.unit && `, ${effect.unit}`}`,
        signed: true,
      });
    });
  }

  /** One row a head: layer, head, effect. */
  table(): Table {
    const { heads } = this.model.config;
    return tableFromArrays({
      layer: Int32Array.from(this.effects, (_, i) => Math.floor(i / heads)),
      head: Int32Array.from(this.effects, (_, i) => i % heads),
      effect: this.effects,
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
