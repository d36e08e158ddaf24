// What a trace keeps of a pass, and every other place's activation made from it: values, the parts that attention and MLP
// add, the stream between them. Relies on the network's own pieces, so that nothing is said twice.

import { LensorError } from "../errors.ts";
import { type Hooks, hooked, PLACES, type Place } from "../model/hooks.ts";
import type { Model } from "../model/model.ts";
import { gated, lastHidden, logitsOf, norm } from "../model/network.ts";
import { mixture } from "../moe/block.ts";
import { noGrad, scope, type Tensor, tensor } from "../tensor/index.ts";
import { untrack } from "../tensor/scope.ts";

/** Of a pass over T tokens, f32. */
export interface Kept {
  /** `[layers, heads, T, headWidth]`, after RoPE. */
  query: Tensor;
  /** `[layers, kvHeads, T, headWidth]`, after RoPE. */
  key: Tensor;
  /** `[layers, T, heads, headWidth]` */
  head: Tensor;
  /** `[layers + 1, T, width]` */
  residual: Tensor;
  /** What stood at places that someone hooked, one a layer: it does not follow from the rest. */
  changed: Map<Place, Tensor[]>;
}

export function tensorsOf({ query, key, head, residual, changed }: Kept): Tensor[] {
  return [query, key, head, residual, ...[...changed.values()].flat()];
}

const ALWAYS: readonly Place[] = ["residual", "query", "key", "head"];

/** A pass with hooks; what is kept is what stood at each place after its hook. */
export function seen(model: Model, ids: readonly number[], hooks: Hooks): Kept {
  const places = new Map<Place, Tensor[]>();
  const collecting = Object.fromEntries(
    PLACES.filter((place) => ALWAYS.includes(place) || hooks[place]).map((place) => {
      const each: Tensor[] = [];
      places.set(place, each);
      const collect = (x: Tensor, { layer }: { layer: number }) => {
        const stands = hooked(hooks, place, layer, x);
        each[layer] = stands.detach();
        // The pass frees what it made when it is over; this is to outlive it.
        untrack(each[layer]!);
        return stands;
      };
      return [place, collect];
    }),
  ) as Hooks;
  noGrad(() => {
    const packed = { ids, offsets: [0, ids.length] };
    lastHidden(model.config, model.weights(), packed, "f32", { hooks: collecting }).dispose();
  });
  const stacked = (place: Place, axes?: number[]) =>
    scope(() => {
      const each = places.get(place)!;
      return tensor.stack(axes ? each.map((x) => x.permute(axes)) : each, 0);
    });
  const kept: Kept = {
    query: stacked("query", [1, 0, 2]),
    key: stacked("key", [1, 0, 2]),
    head: stacked("head"),
    residual: stacked("residual"),
    changed: new Map([...places].filter(([place]) => hooks[place] && !ALWAYS.includes(place))),
  };
  for (const place of ALWAYS) for (const x of places.get(place)!) x.dispose();
  return kept;
}

/** What stood at a place of a layer, in the place's shape. */
export function activation(model: Model, kept: Kept, place: Place, layer: number): Tensor {
  const { experts } = model.config;
  if (place === "router" && !experts)
    throw new LensorError(`trace.activation: ${model.name} has no router`, {
      expected: "a model with experts",
      got: "one MLP in each block",
    });
  const changed = kept.changed.get(place);
  if (changed) return changed[layer]!.at();
  const { config } = model;
  const { kvHeads, heads, headWidth: d } = config;
  const weights = model.weights();
  const T = kept.residual.shape[1]!;
  const linear = (part: string, x: Tensor, to?: Tensor) =>
    weights.linear(`blk.${layer}.${part}.weight`, x, "f32", to);
  const of = (other: Place) => activation(model, kept, other, layer);
  return noGrad(() =>
    scope(() => {
      if (place === "residual") return kept.residual.at(layer);
      if (place === "query") return kept.query.at(layer).permute(1, 0, 2);
      if (place === "key") return kept.key.at(layer).permute(1, 0, 2);
      if (place === "head") return kept.head.at(layer);
      if (place === "value") {
        const n = norm(of("residual"), weights.vector(`blk.${layer}.attn_norm.weight`), config, "f32");
        return linear("attn_v", n).reshape(T, kvHeads, d);
      }
      if (place === "attention") return linear("attn_output", of("head").reshape(T, heads * d));
      if (place === "middle") return of("residual").add(of("attention"));
      const y = of("middle");
      if (place === "router") {
        const m = norm(y, weights.vector(`blk.${layer}.ffn_norm.weight`), config, "f32");
        return linear("ffn_gate_inp", m);
      }
      if (experts) return mixture(config, experts, weights, layer, y, "f32", {});
      return linear("ffn_down", gated(config, weights, layer, y, "f32"));
    }),
  );
}

/** One head's part of what attention adds, `[T, width]`. */
export function contribution(model: Model, kept: Kept, layer: number, head: number): Tensor {
  const { heads, headWidth } = model.config;
  const T = kept.residual.shape[1]!;
  return noGrad(() =>
    scope(() => {
      const only = tensor(
        Float32Array.from({ length: heads }, (_, h) => (h === head ? 1 : 0)),
        { shape: [heads, 1] },
      );
      const alone = kept.head
        .at(layer)
        .mul(only)
        .reshape(T, heads * headWidth);
      return model.weights().linear(`blk.${layer}.attn_output.weight`, alone, "f32");
    }),
  );
}

/** Logits of rows of the final stream `[rows, width]`. */
export function finalLogits(model: Model, rows: Tensor): Tensor {
  const weights = model.weights();
  return noGrad(() =>
    scope(() =>
      logitsOf(norm(rows, weights.vector("output_norm.weight"), model.config, "f32"), weights.head),
    ),
  );
}
