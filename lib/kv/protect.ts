// A cache whose first and last tokens stay as they are (a chat's instructions and its latest turns): a method is shown only
// what lies between, and its plan is widened by what it never saw.

import { type Tensor, tensor } from "../tensor/index.ts";
import { scope } from "../tensor/scope.ts";
import type { HeadPlan, LayerSource, Source } from "./method.ts";

export interface Protected {
  /** Positions below it stay. */
  readonly from: number;
  /** Positions from it on stay. */
  readonly to: number;
}

/** Of each head's keys: the first and the number of those that may go. */
export function between(
  positions: readonly Int32Array[],
  { from, to }: Protected,
): { at: number; count: number }[] {
  return positions.map((own) => {
    const at = own.findIndex((position) => position >= from);
    const end = own.findIndex((position) => position >= to);
    const first = at < 0 ? own.length : at;
    return { at: first, count: Math.max(0, (end < 0 ? own.length : end) - first) };
  });
}

export function middleOf(source: Source, which: Protected): Source {
  return { ...source, layer: (layer) => slice(source.layer(layer), which) };
}

function slice(layer: LayerSource, which: Protected): LayerSource {
  const parts = between(layer.positions, which);
  const counts = parts.map(({ count }) => count);
  const room = Math.max(1, ...counts);
  const cut = (x: Tensor): Tensor => {
    const made = scope(() =>
      tensor.stack(
        parts.map(({ at, count }, head) => {
          const own = x.at(head, [at, at + count]);
          if (count === room) return own;
          return tensor.cat([own, tensor.zeros([room - count, ...x.shape.slice(2)])], 0);
        }),
        0,
      ),
    );
    x.dispose();
    return made;
  };
  return {
    layer: layer.layer,
    keys: cut(layer.keys),
    values: cut(layer.values),
    bias: layer.bias && cut(layer.bias),
    counts,
    positions: parts.map(({ at, count }, head) => layer.positions[head]!.slice(at, at + count)),
  };
}

/** A plan for what lies between as one for the whole head. */
export function widened(plan: HeadPlan, layer: LayerSource, head: number, which: Protected): HeadPlan {
  const [part] = between([layer.positions[head]!], which);
  const { at, count } = part!;
  const total = layer.counts[head]!;
  const before = Int32Array.from({ length: at }, (_, i) => i);
  const after = Int32Array.from({ length: total - at - count }, (_, i) => at + count + i);
  const keep = Int32Array.of(...before, ...plan.keep.map((i) => at + i), ...after);
  const around = (rows: Tensor | undefined, own: Tensor) =>
    rows && scope(() => tensor.cat([own.at(head, [0, at]), rows, own.at(head, [at + count, total])], 0));
  return {
    keep,
    bias: plan.bias && Float32Array.of(...before.map(() => 0), ...plan.bias, ...after.map(() => 0)),
    keys: around(plan.keys, layer.keys),
    values: around(plan.values, layer.values),
  };
}
