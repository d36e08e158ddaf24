// What a model says of its experts: how many, who chooses, how much of them a token uses; and what follows from it, its
// tensors and its size. Data and arithmetic alone.

import { LensorError } from "../errors.ts";
import { checkChoice, checkNames, checkNumber } from "../options.ts";

export const ROUTERS = ["topK", "switch", "expertChoice", "sigmoid"] as const;
/**
 * Who chooses, from the router's logits x W_r^T of a token:
 *
 * - "topK": softmax over the k largest (Shazeer et al. 2017, as Mixtral has it): gates add up to 1
 * - "switch": softmax over all, the largest alone counts, with its probability (Fedus et al. 2021)
 * - "expertChoice": each expert takes the tokens that it scores highest (Zhou et al. 2022); where there is one token to decide
 *     for (generation), as "topK" without the normalisation
 * - "sigmoid": sigmoid(logits) + bias chooses, sigmoid alone counts; the bias of an expert with too much to do falls, and no
 *     loss is needed to balance them (Wang et al. 2024, DeepSeek-V3)
 */
export type Router = (typeof ROUTERS)[number];

/** The experts of every block; `feedForward` of the model is the width of each. */
export interface Experts {
  /** In each block. */
  readonly count: number;
  /** Of them each token has so many. */
  readonly topK: number;
  /** Who chooses. */
  readonly router: Router;
  /** Experts beside these that every token has, as one MLP. */
  readonly shared: number;
  /** What the chosen give together is multiplied by it. */
  readonly scale: number;
  /**
   * An expert takes at most capacity * tokens * topK / count rows, those that come later are dropped; undefined: none is. In
   * training and in what is recorded only: a token that is generated is never dropped. Of "expertChoice" always, 1 at least.
   */
  readonly capacity?: number | undefined;
  /** While it learns, so much of the balance loss is added (see balanceLoss). */
  readonly balance: number;
  /** And so much of the z loss (see zLoss). */
  readonly zLoss: number;
  /** By how much a step moves the bias of "sigmoid". */
  readonly biasRate: number;
}

/** What is said of experts when a model is made; the rest has defaults. */
export type GivenExperts = Partial<Omit<Experts, "count" | "topK">> & { count: number; topK?: number };
const NAMES = ["count", "topK", "router", "shared", "scale", "capacity", "balance", "zLoss", "biasRate"];

/** @throws LensorError naming what is missing, out of range, or does not fit the others */
export function checkExperts(call: string, given: GivenExperts): Experts {
  checkNames(call, given, NAMES);
  const { count, router = "topK", shared = 0, scale = 1, capacity } = given;
  // Experts that choose are balanced by themselves, and the bias is there in place of a loss.
  const { balance = router === "topK" || router === "switch" ? 0.01 : 0 } = given;
  const { zLoss = 0.001, biasRate = 0.001, topK = router === "switch" ? 1 : Math.min(2, count) } = given;
  checkNumber(call, "experts", count, { least: 1, most: 4096, whole: true });
  checkChoice(call, "router", router, ROUTERS);
  checkNumber(call, "topK", topK, { least: 1, most: count, whole: true });
  if (router === "switch" && topK !== 1)
    throw new LensorError(`${call}: the switch router sends a token to one expert`, {
      expected: "topK: 1, or none",
      got: String(topK),
      fix: 'Take router: "topK" for more.',
    });
  checkNumber(call, "shared", shared, { least: 0, most: 256, whole: true });
  checkNumber(call, "scale", scale, { least: 0, above: true });
  if (capacity !== undefined) checkNumber(call, "capacity", capacity, { least: 0, above: true });
  for (const [name, value] of Object.entries({ balance, zLoss, biasRate }))
    checkNumber(call, name, value, { least: 0 });
  const kept = capacity === undefined ? {} : { capacity };
  return { count, topK, router, shared, scale, ...kept, balance, zLoss, biasRate };
}

interface Sizes {
  width: number;
  feedForward: number;
}

/** The tensors of a block that stand in place of its MLP's, by the last part of their names (llama.cpp's). */
export function expertTensors({ width, feedForward }: Sizes, experts: Experts): [string, number[]][] {
  const { count, shared, router } = experts;
  const all: [string, number[]][] = [
    ["ffn_gate_inp", [count, width]],
    ["ffn_gate_exps", [count, feedForward, width]],
    ["ffn_up_exps", [count, feedForward, width]],
    ["ffn_down_exps", [count, width, feedForward]],
  ];
  if (router === "sigmoid") all.push(["exp_probs_b", [count]]);
  if (shared > 0)
    all.push(
      ["ffn_gate_shexp", [shared * feedForward, width]],
      ["ffn_up_shexp", [shared * feedForward, width]],
      ["ffn_down_shexp", [width, shared * feedForward]],
    );
  return all;
}

/** Whether they are what Mixtral has, which other tools run too. */
export function isPlain({ router, shared, scale }: Experts): boolean {
  return router === "topK" && shared === 0 && scale === 1;
}

/** The bias of a router, which no gradient moves. */
export const ROUTER_BIAS = /\.exp_probs_b\./;

export function biasName(layer: number): string {
  return `blk.${layer}.exp_probs_b.weight`;
}

/** How much of a tensor a token uses: of the experts' those that it is sent to. */
export function usedShare(name: string, experts: Experts | undefined): number {
  return experts && /_exps\./.test(name) ? experts.topK / experts.count : 1;
}

/** @throws LensorError where the experts' matrices would not stand in whole panels of 16 rows */
export function checkWidths(call: string, { width, feedForward }: Sizes): void {
  if (width % 16 === 0 && feedForward % 16 === 0) return;
  throw new LensorError(`${call}: experts need widths that are multiples of 16`, {
    expected: "width and feedForward (of each expert) in whole 16s",
    got: `${width} and ${feedForward}`,
    fix: "Take another number of experts, or other sizes.",
  });
}
