// Attention whose cost grows with the length alone: softmax's exp(q . k) replaced by phi(q) . phi(k), so that sums over the keys can
// be kept instead of the keys.
//   out_t = phi(q_t) S_t / (phi(q_t) . z_t),  S_t = sum_{j <= t} phi(k_j) v_j^T,  z_t = sum_{j <= t} phi(k_j)
// Causal sums are made chunk by chunk: inside a chunk by its own small square, before it by the running sums.

import { LensorError } from "../../errors.ts";
import { checkFlag, checkNames, checkNumber, describe } from "../../options.ts";
import { fromValues } from "../create.ts";
import { cat } from "../join.ts";
import { scope } from "../scope.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { checkFits, checkTensor } from "./rows.ts";

/** Turns queries or keys `[heads, T, d]` into features `[heads, T, m]`, none below zero. */
export interface FeatureMap {
  readonly name: string;
  of(x: Tensor): Tensor;
}

export interface LinearAttentionOptions {
  /** A query sees the keys up to its own place. */
  causal?: boolean;
  /** elu(x) + 1 by default (Katharopoulos et al. 2020); `favor()` comes near softmax. */
  features?: FeatureMap;
  /** Tokens whose pairs are made at once. */
  chunk?: number;
}

const elu: FeatureMap = {
  name: "elu + 1",
  of: (x) => x.minimum(0).exp().add(x.relu()),
};

/**
 * Positive random features (FAVOR+, Choromanski et al. 2021): E[phi(q) . phi(k)] = exp(q . k / sqrt(d)). The error falls as
 * 1 / sqrt(features).
 *   phi(x) = exp(w_i . x' - |x'|^2 / 2) / sqrt(m),  x' = x / d^(1/4),  the w_i orthogonal in blocks of d
 */
export function favor({ features = 256, seed = 0 }: { features?: number; seed?: number } = {}): FeatureMap {
  checkNumber("favor", "features", features, { least: 1, most: 65_536, whole: true });
  checkNumber("favor", "seed", seed, { least: 0, whole: true });
  return {
    name: `FAVOR+, ${features} features`,
    of: (x) => {
      const d = x.shape.at(-1)!;
      const w = fromValues(orthogonal(features, d, seed), { shape: [features, d] });
      const small = x.div(d ** 0.25);
      const exponent = small.matmul(w.T).sub(small.pow(2).sum(-1, { keepdim: true }).div(2));
      // A factor that a head's queries or keys share cancels in the quotient, and keeps exp in range.
      return exponent
        .sub(exponent.max([1, 2], { keepdim: true }))
        .exp()
        .add(1e-9);
    },
  };
}

/**
 * Attention whose cost grows with the length alone: softmax's exp(q . k) replaced by phi(q) . phi(k), so that sums over the
 * keys can be kept instead of the keys (Katharopoulos et al. 2020).
 *
 *   out_t = phi(q_t) S_t / (phi(q_t) . z_t),  S_t = sum_{j <= t} phi(k_j) v_j^T,  z_t = sum_{j <= t} phi(k_j)
 * @param q `[heads, T, d]`
 * @param k `[kvHeads, S, d]`; heads is a multiple of kvHeads, and S = T where it is causal
 * @param v `[kvHeads, S, e]`
 * @returns `[heads, T, e]`; in O(T) time and memory
 */
export function linearAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: LinearAttentionOptions = {},
): Tensor {
  checkNames("linearAttention", options, ["causal", "features", "chunk"]);
  const { causal = true, features = elu, chunk = 128 } = options;
  checkFlag("linearAttention", "causal", causal);
  checkNumber("linearAttention", "chunk", chunk, { least: 1, whole: true });
  if (typeof features?.of !== "function")
    throw new LensorError("linearAttention: features is wrong", {
      expected: "nn.favor(), or { name, of: (x) => ... }",
      got: describe(features),
    });
  for (const x of [q, k, v]) checkTensor(x, "linearAttention");
  const [heads = 0, T = 0] = q.shape;
  const [kvHeads = 0, S = 0] = k.shape;
  if (q.ndim !== 3 || k.ndim !== 3 || kvHeads === 0 || heads % kvHeads !== 0 || (causal && S !== T))
    throw new LensorError("linearAttention needs heads that share keys evenly", {
      expected: `q [heads, T, d] and k [kvHeads, ${causal ? "T" : "S"}, d] with heads a multiple of kvHeads`,
      got: `${formatShape(q.shape)} and ${formatShape(k.shape)}`,
    });
  checkFits(k, [-1, -1, q.shape[2]!], "key", "linearAttention");
  checkFits(v, [kvHeads, S, -1], "value", "linearAttention");
  return scope(() => {
    const shared = (x: Tensor) =>
      x
        .unsqueeze(1)
        .expand(kvHeads, heads / kvHeads, S, x.shape[2]!)
        .reshape(heads, S, x.shape[2]!);
    const [a, b] = [features.of(q), shared(features.of(k))];
    // A column of ones: the denominator is one more value.
    const ones = v.at(null, null, [0, 1]).mul(0).add(1);
    const values = shared(cat([v, ones], 2));
    const sums = causal ? causalSums(a, b, values, chunk) : a.matmul(b.transpose(1, 2).matmul(values));
    const e = v.shape[2]!;
    return sums.at(null, null, [0, e]).div(sums.at(null, null, [e, e + 1]));
  });
}

/** sum_{j <= t} (a_t . b_j) v_j for every t. */
function causalSums(a: Tensor, b: Tensor, v: Tensor, chunk: number): Tensor {
  const T = a.shape[1]!;
  const parts: Tensor[] = [];
  let before: Tensor | undefined;
  for (let from = 0; from < T; from += chunk) {
    const to = Math.min(T, from + chunk);
    const earlier: Tensor | undefined = before;
    const [part, sums]: Tensor[] = scope(() => {
      const [x, y, z] = [a, b, v].map((one) => one.at(null, [from, to])) as [Tensor, Tensor, Tensor];
      const n = to - from;
      const past = fromValues(
        Float32Array.from({ length: n * n }, (_, i) => (i % n <= Math.floor(i / n) ? 1 : 0)),
        { shape: [n, n] },
      );
      const own = x.matmul(y.transpose(1, 2)).mul(past).matmul(z);
      const outer = y.transpose(1, 2).matmul(z);
      return [earlier ? own.add(x.matmul(earlier)) : own, earlier ? earlier.add(outer) : outer];
    });
    parts.push(part!);
    before = sums!;
  }
  return cat(parts, 1);
}

/** Rows `[m, d]`: in blocks of d orthogonal, of the lengths that Gaussian rows have. */
function orthogonal(m: number, d: number, seed: number): Float32Array {
  const gaussian = gaussians(seed);
  const out = new Float32Array(m * d);
  for (let first = 0; first < m; first += d) {
    const block: Float64Array[] = [];
    for (let i = first; i < Math.min(m, first + d); i++) {
      const row = Float64Array.from({ length: d }, gaussian);
      const length = Math.hypot(...row);
      for (const other of block) {
        const along = row.reduce((sum, x, j) => sum + x * other[j]!, 0);
        row.forEach((x, j) => {
          row[j] = x - along * other[j]!;
        });
      }
      const left = Math.hypot(...row);
      row.forEach((x, j) => {
        row[j] = x / left;
      });
      block.push(row);
      out.set(
        row.map((x) => x * length),
        i * d,
      );
    }
  }
  return out;
}

/** Normal numbers by a seed (mulberry32, Box and Muller). */
function gaussians(seed: number): () => number {
  let state = (seed + 1) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
