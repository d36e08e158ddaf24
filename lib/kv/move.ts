// Kept keys moved closer together, so that a text that goes on and on stays inside the context. A key made for one position
// stands at another after a turn by the difference: RoPE turns add up.

import type { Rope } from "../model/rope.ts";
import { rotated, Turns } from "../tensor/nn/rope.ts";
import { scope } from "../tensor/scope.ts";
import type { HeadPlan, LayerSource } from "./method.ts";
import type { Protected } from "./protect.ts";

/** How positions become fewer: those between shrink to `span`, those behind follow, the first stay. */
export interface Move extends Protected {
  readonly span: number;
}

export function placeAfter({ from, to, span }: Move, position: number): number {
  if (position < from) return position;
  if (position >= to) return position - (to - from - span);
  return from + Math.floor(((position - from) * span) / (to - from));
}

/** The plan with its keys turned back to where they are to stand: K cos(dp) + rotate_half(K) sin(dp). */
export function movedPlan(
  plan: HeadPlan,
  layer: LayerSource,
  head: number,
  move: Move,
  rope: Rope,
): HeadPlan {
  const steps = Array.from(plan.keep, (i) => {
    const position = layer.positions[head]![i]!;
    return position - placeAfter(move, position);
  });
  const most = Math.max(0, ...steps);
  if (most === 0) return plan;
  const keys = scope(() => {
    const rows = plan.keys ?? layer.keys.at(head).indexSelect(0, Array.from(plan.keep));
    const turns = new Turns(rope.frequencies, most + 1);
    return rotated(rows.unsqueeze(1), turns, steps, true).squeeze(1);
  });
  plan.keys?.dispose();
  return { ...plan, keys };
}
