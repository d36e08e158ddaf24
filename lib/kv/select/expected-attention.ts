// ExpectedAttention (Devoto et al. 2025, arXiv 2510.00636): what queries of tokens to come are expected to attend to, from the
// mean and the covariance of the text's own queries before RoPE, turned to the next positions on average.

import { checkFlag, checkNumber } from "../../options.ts";
import { scope, type Tensor, tensor } from "../../tensor/index.ts";
import type { LayerSource, Observed, Source } from "../method.ts";
import { queriesOf } from "./h2o.ts";
import { averageTurn, ropeOf, unturned } from "./positions.ts";
import { optionsOf, Selection } from "./selection.ts";
import { headsOf } from "./values.ts";

export interface ExpectedAttentionOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** How many of the first tokens stay and are left out of the statistics: 4. */
  sinks?: number;
  /** Over how many positions behind the text: 512. */
  future?: number;
  /** Also what varies among the queries: true. */
  covariance?: boolean;
  /** From how many queries a KV head the statistics are, drawn evenly over the text: all. A thousand give nearly the same. */
  perHead?: number;
  /** Times the norm of the key's value: true. */
  valueNorm?: boolean;
}

type Settings = Required<Omit<ExpectedAttentionOptions, "ratio">>;

/**
 * ExpectedAttention (Devoto et al. 2025, arXiv 2510.00636): keeps what queries of tokens to come are expected to attend to,
 * by the mean and the covariance of the text's own queries before RoPE, turned to the next positions on average.
 *
 * score_j = ||v_j|| softmax_j(k_j m / sqrt(d) + k_j C k_j / 2d), the mean over the heads of the group, with m = R mean(q) and
 * C = R cov(q) R^T, R the average rotation of the `future` positions.
 */
export function expectedAttention(given?: ExpectedAttentionOptions): Selection {
  const name = "expectedAttention";
  const { options, ratio } = optionsOf<Settings>(name, given, {
    ...{ sinks: 4, future: 512, covariance: true, valueNorm: true },
    perHead: Number.POSITIVE_INFINITY,
  });
  checkNumber(name, "sinks", options.sinks, { least: 0, whole: true });
  checkNumber(name, "future", options.future, { least: 1, whole: true });
  checkNumber(name, "perHead", options.perHead, { least: 1 });
  checkFlag(name, "covariance", options.covariance);
  checkFlag(name, "valueNorm", options.valueNorm);
  return new Selection(
    {
      ...{ name, options, sinks: options.sinks },
      queries: () => queriesOf(options.perHead),
      score: (stored, source, seen) => headsOf(stored.counts, () => expected(stored, source, seen!, options)),
    },
    { ratio },
  );
}

function expected(stored: LayerSource, source: Source, seen: Observed, options: Settings): Tensor {
  const { keys, values, bias } = stored;
  const [kvHeads, T, d] = keys.shape as [number, number, number];
  const group = source.heads / kvHeads;
  const { mean, covariance } = statistics(source, seen, options);
  const rows = keys.reshape(kvHeads, 1, T, d);
  let scores = rows
    .matmul(mean.reshape(kvHeads, group, d, 1))
    .reshape(kvHeads, group, T)
    .div(Math.sqrt(d));
  if (covariance) {
    const spread = rows
      .matmul(covariance.reshape(kvHeads, group, d, d))
      .mul(rows)
      .sum(-1);
    scores = scores.add(spread.div(2 * d));
  }
  if (bias) scores = scores.add(bias.reshape(kvHeads, 1, T));
  const weights = scores.add(unseen(stored, options.sinks)).softmax(-1).mean(1);
  return options.valueNorm ? weights.mul(values.mul(values).sum(-1).sqrt()) : weights;
}

/** 0 for keys that share in the softmax; -1e30 for sinks and behind a head's last key: `[kvHeads, 1, T]`. */
function unseen({ keys, positions }: LayerSource, sinks: number): Tensor {
  const [kvHeads, T] = keys.shape as [number, number];
  const out = new Float32Array(kvHeads * T).fill(-1e30);
  for (const [h, held] of positions.entries())
    held.forEach((position, j) => {
      if (position >= sinks) out[h * T + j] = 0;
    });
  return tensor(out, { shape: [kvHeads, 1, T] });
}

/** Of the queries to come: `[heads, d]`, and `[heads, d, d]`. */
function statistics(
  source: Source,
  { queries, positions }: Observed,
  { sinks, future, covariance }: Settings,
): { mean: Tensor; covariance: Tensor | undefined } {
  return scope(() => {
    const from = Math.min(positions.filter((position) => position < sinks).length, positions.length - 1);
    const some = queries.at(null, [from, positions.length]);
    const q = unturned(some, positions.subarray(from), ropeOf(source));
    const turn = averageTurn(source, future);
    const mean = q.mean(1);
    const centred = q.sub(mean.unsqueeze(1));
    const spread = covariance ? centred.transpose(1, 2).matmul(centred).div(q.shape[1]!) : undefined;
    return { mean: mean.matmul(turn.T), covariance: spread && turn.matmul(spread).matmul(turn.T) };
  });
}
