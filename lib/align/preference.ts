// What a loss that learns from preferences is, and the record it is made of. A method is a file beside this one: it tells
// which log-probabilities it wants and makes a loss of them. It never sees a model; pairs.ts and align.ts do.

import type { Tensor } from "../tensor/tensor.ts";

/**
 * Log-probabilities of two replies to each of n prompts, summed over the tokens of the reply: f32 `[n]`. Where a method takes
 * replies that are good or bad by themselves, there may be more of the one than of the other, or none.
 */
export interface Preferences {
  readonly chosen: Tensor;
  readonly rejected: Tensor;
  /** Tokens of each reply. */
  readonly tokens: { readonly chosen: readonly number[]; readonly rejected: readonly number[] };
  /** What the model that one began with says of them; only where the method asks. */
  readonly reference?: { readonly chosen: Tensor; readonly rejected: Tensor };
  /** Mean log-probability of all tokens of prompts and chosen replies, a scalar; only where the method asks. */
  readonly whole?: Tensor;
  /** Of each prompt followed by another's reply, by the model as it learns and as it was; only where the method asks. */
  readonly mismatched?: { readonly policy: Tensor; readonly reference: Tensor };
}

export interface PreferenceLoss {
  /** The scalar to lower. */
  readonly loss: Tensor;
  /** What the method takes each reply to be worth, `[n]` each: its accuracy and margin are made of these. */
  readonly rewards: { readonly chosen: Tensor; readonly rejected: Tensor };
}

export type Wish = "reference" | "whole" | "mismatched";

export interface Preference {
  /** The exported constructor's name. */
  readonly name: string;
  /** What it was made with, for provenance. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Which of the record's optional parts it needs. */
  readonly needs: readonly Wish[];
  /** Learns from replies that are good or bad by themselves too. */
  readonly unpaired?: true;
  loss(preferences: Preferences): PreferenceLoss;
}
