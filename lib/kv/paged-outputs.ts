// What queries get of a layer of which they read only some pages, as native attention chooses them
// (native/cpu/attention_pages.h), on tensors: the measure of what that loses. Bounds are not rounded here.

import { type Tensor, tensor } from "../tensor/index.ts";
import { scope } from "../tensor/scope.ts";
import { PAGE } from "./encode/size.ts";
import type { LayerSource } from "./method.ts";

export interface PagedOutputs {
  /** `[n, heads, d]` */
  readonly output: Tensor;
  readonly logSumExp?: undefined;
  /** The weight that each key gets of those that are read, before the others are left out: `[heads, T]`. */
  readonly mass: Tensor;
}

/** @param queries After RoPE, `[heads, n, d]`; they see every key */
export function pagedOutputs(queries: Tensor, stored: LayerSource, reads: number): PagedOutputs {
  const [heads, n, d] = queries.shape as [number, number, number];
  const kvHeads = stored.counts.length;
  const group = heads / kvHeads;
  return scope(() => {
    const each = stored.counts.map((count, h) => {
      const [keys, values] = [stored.keys, stored.values].map((x) => x.at(h, [0, count]));
      const q = queries.at([h * group, (h + 1) * group]);
      const plain = q.matmul(keys!.T).div(Math.sqrt(d));
      const scores = stored.bias ? plain.add(stored.bias.at(h, [0, count])) : plain;
      const read = readKeys(q, keys!, reads).unsqueeze(0);
      const weights = tensor.where(read.gt(0), scores, -1e30).softmax(-1).mul(read);
      const mass = scores.softmax(-1).mul(read).sum(1);
      const T = stored.keys.shape[1]!;
      const padded = count === T ? mass : tensor.cat([mass, tensor.zeros([group, T - count])], 1);
      return { output: weights.matmul(values!), mass: padded };
    });
    const output = tensor.cat(
      each.map((one) => one.output),
      0,
    );
    const mass = tensor.cat(
      each.map((one) => one.mass),
      0,
    );
    return { output: output.reshape(heads, n, d).permute(1, 0, 2).contiguous(), mass };
  });
}

/** Which of one head's keys each query reads: 0 or 1, `[n, count]`. @param q Of its query heads, `[group, n, d]` */
function readKeys(q: Tensor, keys: Tensor, reads: number): Tensor {
  const [, n, d] = q.shape as [number, number, number];
  const count = keys.shape[0]!;
  const pages = Math.floor(count / PAGE);
  if (pages <= reads) return tensor.ones([n, count]);
  const paged = keys.at([0, pages * PAGE]).reshape(pages, PAGE, d);
  const bound = q
    .relu()
    .matmul(paged.max(1).T)
    .sub(q.neg().relu().matmul(paged.min(1).T))
    .div(Math.sqrt(d));
  const worth = bound.sub(bound.max(-1, { keepdim: true })).max(0);
  const bar = worth.topK(reads).values.at(null, [reads - 1, reads]);
  const chosen = worth.ge(bar).cast("f32");
  const whole = chosen
    .reshape(n, pages, 1)
    .expand(n, pages, PAGE)
    .reshape(n, pages * PAGE);
  return tensor.cat([whole, tensor.ones([n, count - pages * PAGE])], 1);
}
