// A text's own queries as though they were asked behind it. A query of token p sees the keys before it as near and those after it
// at no distance that the model knows; what is kept is for tokens to come, to which the text's end is near.

import type { Tensor } from "../../tensor/index.ts";
import { rotated, Turns } from "../../tensor/nn/rope.ts";
import { uniform } from "../../tensor/random.ts";
import { scope } from "../../tensor/scope.ts";
import type { Observed, Source } from "../method.ts";
import { ropeOf } from "../select/positions.ts";

/**
 * RoPE turns by angles that add up: a query of position p turned by the angles of length + u - p stands at length + u. Each
 * query gets a u of its own below `horizon`, drawn evenly.
 * @returns `[heads, n, d]`
 */
export function turnedBehind(source: Source, { queries, positions }: Observed, horizon: number): Tensor {
  const n = positions.length;
  const random = uniform(n, source.seed);
  const by = Array.from(positions, (p, i) => source.length - p + Math.floor(random[i]! * horizon));
  return scope(() => {
    const turns = new Turns(ropeOf(source).frequencies, Math.max(0, ...by) + 1);
    return rotated(queries.permute(1, 0, 2).contiguous(), turns, by)
      .permute(1, 0, 2)
      .contiguous();
  });
}
