// MinHash one number at a time, in whole numbers of any length: what the engine's signatures are held against.

import { hashFunctions } from "../../../../lib/data/dedup/functions.ts";
import { simplify } from "../../../../lib/text/simplify.ts";
import { words } from "../../../../lib/text/words.ts";

const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];
const M = (1n << 64n) - 1n;
const turn = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & M;
const round = (lane: bigint, input: bigint) => (turn((lane + input * P2) & M, 31n) * P1) & M;

/** xxHash64, seed 0, by its specification. */
export function xxhash64(text: string): bigint {
  const bytes = Buffer.from(text);
  const n = bytes.length;
  let at = 0;
  let hash = P5;
  if (n >= 32) {
    const lanes = [(P1 + P2) & M, P2, 0n, -P1 & M];
    for (; at + 32 <= n; at += 32)
      for (let i = 0; i < 4; i++) lanes[i] = round(lanes[i]!, bytes.readBigUInt64LE(at + 8 * i));
    hash = [1n, 7n, 12n, 18n].reduce((sum, by, i) => sum + turn(lanes[i]!, by), 0n) & M;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & M;
  }
  hash = (hash + BigInt(n)) & M;
  for (; at + 8 <= n; at += 8) hash = (turn(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4) & M;
  if (at + 4 <= n) {
    hash = (turn(hash ^ ((BigInt(bytes.readUInt32LE(at)) * P1) & M), 23n) * P2 + P3) & M;
    at += 4;
  }
  for (; at < n; at++) hash = (turn(hash ^ ((BigInt(bytes[at]!) * P5) & M), 11n) * P1) & M;
  hash = ((hash ^ (hash >> 33n)) * P2) & M;
  hash = ((hash ^ (hash >> 29n)) * P3) & M;
  return hash ^ (hash >> 32n);
}

/** The signature of a text; all ones where it has no n-gram. */
export function signatureOf(text: string, functions = 112, ngram = 5, seed = 1): bigint[] {
  const all = words(simplify(text));
  const numbers = Array.from({ length: Math.max(0, all.length - ngram + 1) }, (_, i) =>
    xxhash64(all.slice(i, i + ngram).join(" ")),
  );
  const drawn = hashFunctions(functions, seed);
  const p = (1n << 61n) - 1n;
  return Array.from({ length: functions }, (_, k) =>
    numbers.reduce((least, x) => {
      const value = ((drawn[k]! * x + drawn[functions + k]!) & M) % p;
      return value < least ? value : least;
    }, M),
  );
}
