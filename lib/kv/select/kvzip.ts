// KVzip (Kim et al. 2025, arXiv 2505.23416): what the model attends to when it repeats the text, over all layers and heads.

import { checkFlag, checkNumber } from "../../options.ts";
import { global, layerwise } from "../budget.ts";
import { optionsOf, Selection } from "./selection.ts";
import { groupReceived } from "./values.ts";

export interface KVzipOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** How many of the first tokens stay: 4. */
  sinks?: number;
  /** Give every layer the same room, in place of the best keys of the whole cache: false. */
  layerwise?: boolean;
  /** How many queries a KV head are looked at: all of the repeated text's. */
  perHead?: number;
}

/**
 * KVzip (Kim et al. 2025, arXiv 2505.23416): keeps what the model attends to when it repeats the text.
 *
 * score_j = max over the queries of the repeated text, and the heads of the group, of A_ij.
 */
export function kvzip(given?: KVzipOptions): Selection {
  const { options, ratio } = optionsOf("kvzip", given, {
    ...{ sinks: 4, layerwise: false, perHead: Number.POSITIVE_INFINITY },
  });
  checkNumber("kvzip", "sinks", options.sinks, { least: 0, whole: true });
  checkFlag("kvzip", "layerwise", options.layerwise);
  checkNumber("kvzip", "perHead", options.perHead, { least: 1 });
  const { sinks, perHead } = options;
  return new Selection(
    {
      ...{ name: "kvzip", options, sinks },
      queries: () => ({ of: "repeat", perHead }),
      score: (stored, source, seen) => groupReceived(source, stored, seen!, "max"),
    },
    { ratio, budget: options.layerwise ? layerwise : global },
  );
}
