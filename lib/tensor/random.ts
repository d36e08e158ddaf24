// Random numbers that belong to a seed and a position, not to a sequence of calls: the Philox generator (Salmon et al.
// 2011, Philox 4x32-10), so that the same seed gives the same numbers on every machine.

import { LensorError } from "../errors.ts";
import { stopIfInterrupted } from "../host.ts";

/** Numbers drawn between two looks at the interrupt flag: some milliseconds. */
const STRETCH = 1 << 16;

/** A seed for whoever gave none. */
export function drawSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! & 0x1fffff) * 2 ** 32 + low!;
}

/** @throws LensorError where the seed is no whole number from 0 to 2^53 - 1 */
export function checkSeed(seed: unknown, name: string): number {
  if (Number.isSafeInteger(seed) && (seed as number) >= 0) return seed as number;
  throw new LensorError(`${name} cannot use the seed ${String(seed)}`, {
    expected: "a whole number from 0 to 2^53 - 1",
    got: String(seed),
  });
}

/** Uniform in [0, 1), in steps of 2^-24. */
export function uniform(count: number, seed: number): Float32Array {
  const out = new Float32Array(count);
  const words = new Uint32Array(4);
  for (let i = 0; i < count; i += 4) {
    if (i % STRETCH === 0) stopIfInterrupted();
    philox(i / 4, seed, words);
    for (let j = 0; j < 4 && i + j < count; j++) out[i + j] = (words[j]! >>> 8) * 2 ** -24;
  }
  return out;
}

/** Normal with mean 0 and deviation 1, by Box and Muller from 32-bit uniforms in (0, 1]. */
export function normal(count: number, seed: number): Float32Array {
  const out = new Float32Array(count);
  const words = new Uint32Array(4);
  for (let i = 0; i < count; i += 4) {
    if (i % STRETCH === 0) stopIfInterrupted();
    philox(i / 4, seed, words);
    for (let j = 0; j < 4 && i + j < count; j++) {
      const radius = Math.sqrt(-2 * Math.log((words[j & 2]! + 1) * 2 ** -32));
      const angle = 2 * Math.PI * words[(j & 2) + 1]! * 2 ** -32;
      out[i + j] = radius * (j & 1 ? Math.sin(angle) : Math.cos(angle));
    }
  }
  return out;
}

/** The four words of block `counter` (below 2^53) of a seed's stream. */
export function philox(counter: number, seed: number, out: Uint32Array): void {
  let [a, b, c, d] = [counter >>> 0, Math.floor(counter / 2 ** 32) >>> 0, 0, 0];
  let [k, l] = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
  for (let round = 0; round < 10; round++) {
    const [high, other] = [multiplyHigh(0xd2511f53, a), multiplyHigh(0xcd9e8d57, c)];
    [a, b, c, d] = [
      (other ^ b ^ k) >>> 0,
      Math.imul(0xcd9e8d57, c) >>> 0,
      (high ^ d ^ l) >>> 0,
      Math.imul(0xd2511f53, a) >>> 0,
    ];
    k = (k + 0x9e3779b9) >>> 0;
    l = (l + 0xbb67ae85) >>> 0;
  }
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
}

/** The upper half of a 64-bit product of 32-bit words. */
function multiplyHigh(x: number, y: number): number {
  const [xl, xh, yl, yh] = [x & 0xffff, x >>> 16, y & 0xffff, y >>> 16];
  const middle = xh * yl + ((xl * yl) >>> 16);
  return xh * yh + Math.floor(middle / 65536) + (((middle & 0xffff) + xl * yh) >>> 16);
}
