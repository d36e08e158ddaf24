// A cache as a plan would leave it, as a Source: what the next method of a pipe sees. Nothing is stored anew; rows are gathered
// when a layer is asked for.

import { scope, type Tensor, tensor } from "../tensor/index.ts";
import type { HeadPlan, LayerSource, Plan, Source } from "./method.ts";

/** @param parts What part of all work is reported from here: progress 0 to 1 becomes `from` to `to` */
export function plannedSource(source: Source, plan: Plan, parts: { from: number; to: number }): Source {
  const { model, layers, heads, kvHeads, headWidth, length, seed, compute, rope } = source;
  return {
    ...{ model, layers, heads, kvHeads, headWidth, length, seed, compute, rope },
    layer: (layer) => {
      const stored = source.layer(layer);
      return plan.heads ? left(stored, plan.heads[layer]!) : stored;
    },
    observe: (which, visit, options) =>
      source.observe(
        which,
        async (seen) => {
          const settled = await visit(seen);
          const before = plan.heads?.[seen.layer];
          return settled && before ? settled.map((one, h) => afterwards(before[h]!, one)) : settled;
        },
        options,
      ),
    progress: (part) => source.progress(parts.from + part * (parts.to - parts.from)),
  };
}

/** Of a layer what a plan keeps; frees the tensors it was given. */
function left(stored: LayerSource, plans: readonly HeadPlan[]): LayerSource {
  const { layer, positions, counts: held } = stored;
  const counts = plans.map(({ keep }) => keep.length);
  const most = Math.max(1, ...counts);
  const [keys, values, bias] = scope(() => {
    const rows = (all: Tensor, h: number, of: HeadPlan, instead: Tensor | undefined) =>
      padded(instead ?? all.at(h, [0, held[h]!]).indexSelect(0, [...of.keep]), most);
    const k = tensor.stack(plans.map((of, h) => rows(stored.keys, h, of, of.keys)));
    const v = tensor.stack(plans.map((of, h) => rows(stored.values, h, of, of.values)));
    if (!stored.bias && plans.every((of) => !of.bias)) return [k, v, undefined];
    const biases = plans.map((of, h) => {
      if (of.bias) return padded(tensor(of.bias, { shape: [of.bias.length] }), most);
      const mine = stored.bias?.at(h).indexSelect(0, [...of.keep]);
      return padded(mine ?? tensor.zeros([of.keep.length]), most);
    });
    return [k, v, tensor.stack(biases)];
  });
  for (const one of [stored.keys, stored.values, stored.bias]) one?.dispose();
  return {
    ...{ layer, counts, bias, keys: keys!, values: values! },
    positions: plans.map(({ keep }, h) => gathered(positions[h]!, keep)),
  };
}

/** Zeros behind the rows, up to `most` of them. */
function padded(rows: Tensor, most: number): Tensor {
  const [count, ...width] = rows.shape as [number, ...number[]];
  return count === most ? rows : tensor.cat([rows, tensor.zeros([most - count, ...width])], 0);
}

/** The elements at some places, in a list of the same kind. */
export function gathered<List extends Int32Array | Float32Array>(list: List, places: Int32Array): List {
  const out = list.slice(0, places.length) as List;
  places.forEach((j, i) => {
    out[i] = list[j]!;
  });
  return out;
}

/** What the second makes of what the first leaves, as one plan of the head. @param free Whether the first's tensors go */
export function afterwards(first: HeadPlan, second: HeadPlan, free = false): HeadPlan {
  const rows = (instead: Tensor | undefined, mine: Tensor | undefined) => {
    const kept = instead ?? mine?.indexSelect(0, [...second.keep]);
    if (free) mine?.dispose();
    return kept;
  };
  return {
    keep: gathered(first.keep, second.keep),
    bias: second.bias ?? (first.bias && gathered(first.bias, second.keep)),
    keys: rows(second.keys, first.keys),
    values: rows(second.values, first.values),
  };
}
