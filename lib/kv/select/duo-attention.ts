// DuoAttention (Xiao et al. 2024, arXiv 2410.10819): heads that fetch from far back keep everything, the others only sinks and
// the most recent. Which heads fetch is found on the model, or given.

import { LensorError } from "../../errors.ts";
import { checkChoice, checkNumber, describe } from "../../options.ts";
import type { Budget } from "../budget.ts";
import type { Method, Source } from "../method.ts";
import { distanceScores, inductionScores } from "./retrieval-heads.ts";
import { checkRatio, optionsOf, Selection } from "./selection.ts";
import { lastTokens } from "./streaming.ts";

export interface DuoAttentionOptions {
  /** Bytes before / bytes after: says how many heads can keep everything. */
  ratio?: number;
  /** How many first tokens the other heads keep: 128. */
  sinks?: number;
  /** And how many of the last, at least where there is room: 256. */
  recent?: number;
  /**
   * What says which heads fetch: `"induction"`, how much of their attention goes where a repeated pattern went on before;
   * `"distance"`, how far back their mean query looks at their mean key; or a score of each KV head, `[layers][kvHeads]`.
   */
  heads?: "induction" | "distance" | readonly (readonly number[])[];
}

/**
 * DuoAttention (Xiao et al. 2024, arXiv 2410.10819): heads that fetch from far back keep everything, the others only sinks
 * and the most recent. Which heads fetch is found on the model, or given.
 */
export function duoAttention(given?: DuoAttentionOptions): Method {
  const name = "duoAttention";
  const { options, ratio } = optionsOf<Required<Omit<DuoAttentionOptions, "ratio">>>(name, given, {
    ...{ sinks: 128, recent: 256, heads: "induction" },
  });
  const { sinks, recent, heads } = options;
  checkNumber(name, "sinks", sinks, { least: 0, whole: true });
  checkNumber(name, "recent", recent, { least: 1, whole: true });
  if (!Array.isArray(heads)) checkChoice(name, "heads", heads, ["induction", "distance"]);
  return {
    ...{ name, options, ratio: checkRatio(name, ratio) },
    at: (ratio) => duoAttention({ ...options, ratio }),
    plan: async (source, room) => {
      const scores = await scoresOf(source, heads);
      const split = new Selection(lastTokens(name, options, sinks), {
        ratio,
        budget: headSplit(scores, sinks + recent),
      });
      const plan = await split.plan(source, room);
      return { ...plan, notes: { retrieval: scores } };
    },
  };
}

/** As many heads as there is room for keep everything, those of the highest scores; the others share what is left. */
function headSplit(scores: readonly (readonly number[])[], least: number): Budget {
  return ({ held, keys }) => {
    const all = held.flatMap((heads, layer) =>
      heads.map((count, head) => ({ layer, head, count, score: scores[layer]![head]! })),
    );
    const counts = held.map((heads) => heads.map((count) => Math.min(count, least)));
    let left = keys - counts.flat().reduce((sum, count) => sum + count, 0);
    const ranked = [...all].sort((a, b) => b.score - a.score || a.layer - b.layer || a.head - b.head);
    const whole = new Set<(typeof all)[number]>();
    for (const one of ranked) {
      const more = one.count - counts[one.layer]![one.head]!;
      if (more > left) break;
      counts[one.layer]![one.head] = one.count;
      left -= more;
      whole.add(one);
    }
    // What is left makes the others' windows longer, or shorter where not even these fit.
    const others = all.filter((one) => !whole.has(one));
    for (const [i, one] of others.entries()) {
      const share = Math.floor(left / (others.length - i));
      const given = Math.max(0, Math.min(one.count, counts[one.layer]![one.head]! + share));
      left -= given - counts[one.layer]![one.head]!;
      counts[one.layer]![one.head] = given;
    }
    return counts;
  };
}

async function scoresOf(
  source: Source,
  heads: Required<DuoAttentionOptions>["heads"],
): Promise<readonly (readonly number[])[]> {
  if (heads === "induction") return inductionScores(source);
  if (heads === "distance") return distanceScores(source);
  const { layers, kvHeads } = source;
  const fits = heads.length === layers && heads.every((row) => Array.isArray(row) && row.length === kvHeads);
  if (fits && heads.flat().every(Number.isFinite)) return heads;
  throw new LensorError("duoAttention: heads is wrong", {
    expected: `a number for each KV head, ${layers} lists of ${kvHeads}`,
    got: describe(heads),
  });
}
