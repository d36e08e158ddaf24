// Where one can reach into the network while it runs: the places of a block, what stands there, and functions that look at
// it or put something else in its stead. Relies on nothing of the network but its shapes; gradients flow through.

import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";

/**
 * The places of a block in the order of the pass; T tokens (of packed sequences, one after the other), d the width of a head.
 * In brackets TransformerLens's names.
 *
 * | place       | shape            | what                                                              |
 * | ----------- | ---------------- | ----------------------------------------------------------------- |
 * | `residual`  | `[T, width]`     | the stream entering the block (resid_pre); at `layer = layers` the final one (resid_post) |
 * | `query`     | `[T, heads, d]`  | after RoPE (rot_q)                                                |
 * | `key`       | `[T, kvHeads, d]`| after RoPE (rot_k)                                                |
 * | `value`     | `[T, kvHeads, d]`| (v)                                                               |
 * | `head`      | `[T, heads, d]`  | each head's mix of values, before the output matrix (z)           |
 * | `attention` | `[T, width]`     | what attention adds to the stream (attn_out)                      |
 * | `middle`    | `[T, width]`     | the stream between attention and MLP (resid_mid)                  |
 * | `router`    | `[T, experts]`   | of a block with experts: how much each is wanted, before softmax or sigmoid |
 * | `mlp`       | `[T, width]`     | what the MLP adds to the stream (mlp_out)                         |
 */
export const PLACES = [
  "residual",
  "query",
  "key",
  "value",
  "head",
  "attention",
  "middle",
  "router",
  "mlp",
] as const;
/** A place of a block: one of `PLACES`. */
export type Place = (typeof PLACES)[number];

/** Sees what stands at a place; what it returns stands there instead. Its tensors are freed with the pass's own. */
export type Hook = (x: Tensor, at: { layer: number; place: Place }) => Tensor | undefined;

/** A function for each place that is looked at, called for every layer. */
export type Hooks = { readonly [place in Place]?: Hook };

/** The shape of what stands at a place. */
export function placeShape(config: ModelConfig, place: Place, tokens: number): number[] {
  const { heads, kvHeads, headWidth, width } = config;
  if (place === "query" || place === "head") return [tokens, heads, headWidth];
  if (place === "key" || place === "value") return [tokens, kvHeads, headWidth];
  if (place === "router") return [tokens, config.experts?.count ?? 0];
  return [tokens, width];
}

/** @throws LensorError for what is no record of functions at known places */
export function checkHooks(call: string, hooks: unknown): void {
  if (hooks === undefined) return;
  if (typeof hooks !== "object" || hooks === null)
    throw new LensorError(`${call}: hooks is wrong`, {
      expected: "{ head: (x, { layer }) => ..., ... }",
      got: describe(hooks),
    });
  for (const [place, hook] of Object.entries(hooks)) {
    if (!PLACES.includes(place as Place))
      throw new LensorError(`${call}: there is no place ${JSON.stringify(place.slice(0, 60))} to hook`, {
        expected: PLACES.join(", "),
      });
    if (hook !== undefined && typeof hook !== "function")
      throw new LensorError(`${call}: the hook of ${place} is no function`, { got: describe(hook) });
  }
}

/** What stands at a place once its hook was asked: `x` itself, or what the hook put there, of the same shape and type. */
export function hooked(hooks: Hooks | undefined, place: Place, layer: number, x: Tensor): Tensor {
  const put = hooks?.[place]?.(x, { layer, place });
  if (put === undefined || put === null) return x;
  if (!(put instanceof Tensor))
    throw new LensorError(`The hook of ${place} in layer ${layer} returned no tensor`, {
      expected: `a tensor ${formatShape(x.shape)}, or nothing to leave it as it is`,
      got: describe(put),
    });
  if (put.shape.length !== x.shape.length || put.shape.some((size, axis) => size !== x.shape[axis]))
    throw new LensorError(`The hook of ${place} in layer ${layer} returned a tensor of another shape`, {
      expected: formatShape(x.shape),
      got: formatShape(put.shape),
    });
  return put.cast(x.dtype).contiguous();
}
