// Hadamard matrices, entries +-1 / sqrt(n): orthogonal, and every output meets every input alike, so that what is large in one
// channel is spread over all. Of orders 2^k m, where m is 1 or made by Paley's construction: 12, 20, 24, 28, 36, 44, ...

import { LensorError } from "../errors.ts";
import { upload } from "../tensor/queue.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Entries +-1, `[n][n]`; undefined where this makes none of that order. */
export function hadamard(n: number): Int8Array[] | undefined {
  if (n === 1) return [Int8Array.of(1)];
  if (n === 2) return [Int8Array.of(1, 1), Int8Array.of(1, -1)];
  const made = n % 4 === 0 ? (paleyOne(n) ?? paleyTwo(n)) : undefined;
  if (made) return made;
  const half = n % 2 === 0 ? hadamard(n / 2) : undefined;
  if (!half) return undefined;
  return Array.from({ length: n }, (_, i) =>
    Int8Array.from({ length: n }, (_, j) => {
      const value = half[i % (n / 2)]![j % (n / 2)]!;
      return i >= n / 2 && j >= n / 2 ? -value : value;
    }),
  );
}

const isPrime = (q: number) =>
  q > 2 && Array.from({ length: Math.floor(Math.sqrt(q)) - 1 }, (_, i) => i + 2).every((d) => q % d !== 0);

/** chi(i - j) over the field of q elements, q an odd prime: 1 for squares, -1 for others, 0 for 0. */
function jacobsthal(q: number): Int8Array[] {
  const squares = new Set(Array.from({ length: q - 1 }, (_, i) => ((i + 1) * (i + 1)) % q));
  const chi = (x: number) => (x === 0 ? 0 : squares.has(x) ? 1 : -1);
  return Array.from({ length: q }, (_, i) => Int8Array.from({ length: q }, (_, j) => chi((i - j + q) % q)));
}

/** Order q + 1, q = 3 mod 4: I + [[0, 1], [-1, Q]]. */
function paleyOne(n: number): Int8Array[] | undefined {
  const q = n - 1;
  if (q % 4 !== 3 || !isPrime(q)) return undefined;
  const own = jacobsthal(q);
  return Array.from({ length: n }, (_, i) =>
    Int8Array.from({ length: n }, (_, j) => {
      if (i === 0) return 1;
      if (j === 0) return -1;
      return own[i - 1]![j - 1]! + (i === j ? 1 : 0);
    }),
  );
}

/** Order 2 (q + 1), q = 1 mod 4: of C = [[0, 1], [1, Q]] every 0 becomes [[1, -1], [-1, -1]], every +-1 +-[[1, 1], [1, -1]]. */
function paleyTwo(n: number): Int8Array[] | undefined {
  const q = n / 2 - 1;
  if (q % 4 !== 1 || !isPrime(q)) return undefined;
  const own = jacobsthal(q);
  const c = (i: number, j: number) => (i === 0 || j === 0 ? (i === j ? 0 : 1) : own[i - 1]![j - 1]!);
  return Array.from({ length: n }, (_, i) =>
    Int8Array.from({ length: n }, (_, j) => {
      const [outer, a, b] = [c(i >> 1, j >> 1), i & 1, j & 1];
      if (outer === 0) return a === 0 && b === 0 ? 1 : -1;
      return a === 1 && b === 1 ? -outer : outer;
    }),
  );
}

/**
 * diag(signs) H / sqrt(n), f32 `[n, n]`, the signs drawn from a seed.
 * @throws LensorError where there is no Hadamard matrix of that order here
 */
export function randomHadamard(call: string, n: number, seed: number): Tensor {
  const rows = hadamard(n);
  if (!rows)
    throw new LensorError(`${call}: there is no Hadamard matrix of order ${n} here`, {
      expected: "a power of 2, or one times 12, 20, 24, 28, 36, 44, ...",
      fix: "Quantize it without rotating it.",
    });
  const drawn = uniform(n, seed);
  const values = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    const sign = drawn[i]! < 0.5 ? -1 : 1;
    for (let j = 0; j < n; j++) values[i * n + j] = (sign * rows[i]![j]!) / Math.sqrt(n);
  }
  return upload(values, [n, n], "f32", "hadamard");
}
