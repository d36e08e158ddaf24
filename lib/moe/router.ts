// From a router's logits to who does what: for every row that an expert will work on its token and its gate, rows of one
// expert together. Differentiable in the logits through the gates; which expert is chosen is not.

import { UNARY } from "../native.ts";
import { enqueue, enqueueAll, upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Experts } from "./experts.ts";

export interface Routed {
  /** Of each row, i64 `[R]`. */
  tokens: Tensor;
  /** Of each row, f32 `[R]`. */
  gates: Tensor;
  /** Where each expert's rows begin, and where the last end, i64 `[experts + 1]`: rows after that were dropped. */
  offsets: Tensor;
}

/** Who is chosen and how much they count, both `[T, k]`. */
export interface Chosen {
  experts: Tensor;
  gates: Tensor;
}

/**
 * How likely each expert is for each token, f32 `[T, experts]`: softmax of the logits, or their sigmoid where the router is that.
 */
export function scoresOf({ router }: Experts, logits: Tensor): Tensor {
  if (router !== "sigmoid") return logits.softmax(-1);
  return enqueue("unary", [UNARY.sigmoid], { name: "router", dtype: "f32", shape: logits.shape }, [logits]);
}

/** @param logits f32 `[T, experts]` @param bias f32 `[experts]`, of the sigmoid router: looked at, never counted */
export function chosenOf(experts: Experts, logits: Tensor, bias?: Tensor): Chosen {
  const { topK, router, scale } = experts;
  return scope(() => {
    if (router === "topK") {
      const { values, indices } = logits.topK(topK);
      return { experts: indices, gates: scaled(values.softmax(-1), scale) };
    }
    const scores = scoresOf(experts, logits);
    const { indices } = (bias ? scores.detach().add(bias) : scores.detach()).topK(topK);
    const own = scores.gather(1, indices);
    const gates = router === "sigmoid" ? own.div(own.sum(-1, { keepdim: true })) : own;
    return { experts: indices, gates: scaled(gates, scale) };
  });
}

/** @throws LensorError as the queue does */
export function routed(experts: Experts, logits: Tensor, bias?: Tensor): Routed {
  if (experts.router === "expertChoice") return byExperts(experts, logits);
  return scope(() => {
    const chosen = chosenOf(experts, logits, bias);
    const [T, k] = chosen.gates.shape as [number, number];
    const { order, ...rest } = routeOf(chosen.experts.reshape(-1), experts.count, k, capacityOf(experts, T));
    return { ...rest, gates: chosen.gates.reshape(-1).indexSelect(0, order) };
  });
}

/** How many rows an expert takes at most; 0: as many as come. */
export function capacityOf({ capacity, topK, count }: Experts, tokens: number): number {
  return capacity === undefined ? 0 : Math.max(1, Math.ceil((capacity * tokens * topK) / count));
}

/**
 * Choices put in the order of their experts, those of one in their own order.
 * @param choice Experts, i64 `[T k]`, token by token @param capacity How many of an expert stay at most; 0: all
 * @returns `order`: which choice each row is, i64 `[T k]`
 */
export function routeOf(
  choice: Tensor,
  experts: number,
  k: number,
  capacity = 0,
): Omit<Routed, "gates"> & { order: Tensor } {
  const like = { name: "route", dtype: "i64" as const };
  const rows = { ...like, shape: [choice.size] };
  const [order, tokens, offsets] = enqueueAll(
    "route",
    [k, capacity],
    [rows, rows, { ...like, shape: [experts + 1] }],
    [choice],
  );
  return { order: order!, tokens: tokens!, offsets: offsets! };
}

/** Each expert takes its c highest tokens, c = capacity T k / experts. */
function byExperts(experts: Experts, logits: Tensor): Routed {
  const { count, scale } = experts;
  const T = logits.shape[0]!;
  const c = Math.min(T, capacityOf({ ...experts, capacity: experts.capacity ?? 1 }, T));
  return scope(() => {
    const { values, indices } = logits.softmax(-1).T.contiguous().topK(c);
    const ends = BigInt64Array.from({ length: count + 1 }, (_, e) => BigInt(e * c));
    return {
      tokens: indices.reshape(-1),
      gates: scaled(values, scale).reshape(-1),
      offsets: upload(ends, [count + 1], "i64", "offsets"),
    };
  });
}

function scaled(gates: Tensor, scale: number): Tensor {
  return scale === 1 ? gates : gates.mul(scale);
}
