/**
 * Reads test/fixtures/smollm2.{json,bin}: what transformers computes from the embedded model's weights, in f32.
 * Made by test/fixtures/make_reference.py, which says what each part is.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface GreedyCase {
  text: string;
  ids: number[];
  tokens: number[];
  /** By how much the best logit led at each step: a near tie may go either way. */
  gaps: number[];
  logprobs: number[];
  /** The end token that stopped it, if one did. */
  end: number | null;
}

interface Reference {
  model: { file: string; bytes: number; sha256: string };
  logits: { text: string; ids: number[] };
  trace: { text: string; ids: number[] };
  greedy: Record<string, GreedyCase>;
  text: { ids: number[]; perplexity: number };
  windowed: { context: number; count: number; perplexity: number };
  arrays: Record<string, { dtype: "f32" | "i32"; shape: number[]; offset: number }>;
}

const folder = new URL("../fixtures/", import.meta.url);
export const reference = JSON.parse(readFileSync(new URL("smollm2.json", folder), "utf8")) as Reference;
export const text = readFileSync(new URL("moby-dick.txt", folder), "utf8");
const bytes = readFileSync(fileURLToPath(new URL("smollm2.bin", folder)));

/** One array of the fixture, flat and row-major, with its shape. */
export function array(name: string): { data: Float32Array | Int32Array; shape: number[] } {
  const entry = reference.arrays[name];
  if (!entry)
    throw new Error(`smollm2.json has no array ${name}: ${Object.keys(reference.arrays).join(", ")}`);
  const count = entry.shape.reduce((a, b) => a * b, 1);
  const begin = bytes.byteOffset + entry.offset;
  const part = bytes.buffer.slice(begin, begin + 4 * count);
  return { data: entry.dtype === "f32" ? new Float32Array(part) : new Int32Array(part), shape: entry.shape };
}

/** The largest absolute difference of two equally long lists; NaN anywhere counts as infinite. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`Expected equal lengths, got ${a.length} and ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}

export function logSumExp(x: ArrayLike<number>): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < x.length; i++) top = Math.max(top, x[i]!);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.exp(x[i]! - top);
  return top + Math.log(sum);
}

/** KL(p || q) in nats of the distributions that two rows of logits stand for. */
export function divergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const pTotal = logSumExp(p);
  const qTotal = logSumExp(q);
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const logP = p[i]! - pTotal;
    sum += Math.exp(logP) * (logP - (q[i]! - qTotal));
  }
  return sum;
}
