// What an intervention is judged by: one number of a run, made from the rows that the head reads. Several runs of the same
// length are judged at once. Relies on the head as it is packed; logits of all tokens are made only where someone asks.

import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { logitsOf } from "../model/network.ts";
import { describe } from "../options.ts";
import { visibleToken } from "../plot/token-text.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { linearLogprobs } from "../tensor/nn/loss.ts";

/** A number that a run is judged by. */
export interface Effect {
  readonly name: string;
  /** "nats" and the like; of what a plot's colour bar shows. */
  readonly unit: string;
  /**
   * @param rows The final normed stream of n runs over the same ids, f32 `[n, T, width]`
   * @returns f32 `[n]`
   */
  of(rows: Tensor, run: { model: Model; ids: readonly number[] }): Tensor;
}

/** One's own: logits `[T, vocabulary]` of a run in, a scalar out. */
export type EffectFunction = (logits: Tensor) => Tensor;

/** A token by its id, or a text that is one token. */
export type TokenOf = number | string;

/**
 * What an ablation or a patch is judged by: one number of a run.
 *
 * Ready-made numbers to judge a run by.
 */
export const effect = {
  /** Mean negative log-likelihood of the text, nats a token. */
  loss(): Effect {
    return {
      name: "loss",
      unit: "nats a token",
      of(rows, { model, ids }) {
        const [n, T, width] = rows.shape as [number, number, number];
        if (T < 2)
          throw new LensorError("The loss of one token is none", { expected: "a text of two tokens" });
        const heads = rows.at(null, [0, T - 1]).reshape(n * (T - 1), width);
        const targets = Array.from({ length: n }, () => ids.slice(1)).flat();
        const which = tensor(BigInt64Array.from(targets, BigInt), { shape: [n * (T - 1)] });
        return linearLogprobs(heads, model.weights().head, which)
          .reshape(n, T - 1)
          .mean(1)
          .neg();
      },
    };
  },

  /** How far the logit of one next token lies above another's, after the last token. */
  logitDifference(right: TokenOf, wrong: TokenOf): Effect {
    return {
      name: `logit of ${named(right)} − logit of ${named(wrong)}`,
      unit: "logits",
      of(rows, { model }) {
        const logits = lastLogits(rows, model);
        const each = [right, wrong].map((token) => logits.at(null, idOf(model, token)));
        return each[0]!.sub(each[1]!);
      },
    };
  },

  /** ln p of a next token, after the last token. */
  logprob(token: TokenOf): Effect {
    return {
      name: `ln p of ${named(token)}`,
      unit: "nats",
      of: (rows, { model }) => lastLogits(rows, model).logSoftmax(-1).at(null, idOf(model, token)),
    };
  },
};

const named = (token: TokenOf) => (typeof token === "number" ? `token ${token}` : `“${visibleToken(token)}”`);

function lastLogits(rows: Tensor, model: Model): Tensor {
  return logitsOf(rows.at(null, -1).contiguous(), model.weights().head);
}

function idOf(model: Model, token: TokenOf): number {
  if (typeof token === "number") return token;
  const { ids } = model.tokenizer.encode(token);
  if (ids.length !== 1)
    throw new LensorError(`${describe(token)} is ${ids.length} tokens`, {
      expected: "a text of one token, with the space that stands before it, or an id",
      got: ids.map((id) => JSON.stringify(model.tokenizer.token(id))).join(" "),
    });
  return ids[0]!;
}

/** @throws LensorError for what judges nothing */
export function effectOf(call: string, given: Effect | EffectFunction | undefined): Effect {
  if (given === undefined) return effect.loss();
  if (typeof given === "function")
    return {
      name: given.name || "effect",
      unit: "",
      of: (rows, { model }) =>
        tensor.stack(
          Array.from({ length: rows.shape[0]! }, (_, i) =>
            given(logitsOf(rows.at(i).contiguous(), model.weights().head)).reshape([]),
          ),
          0,
        ),
    };
  if (typeof given?.of === "function") return given;
  throw new LensorError(`${call}: effect is wrong`, {
    expected: "effect.loss(), effect.logitDifference(right, wrong), or a function of the logits",
    got: describe(given),
  });
}
