// H2O, heavy hitters (Zhang et al. 2023, arXiv 2306.14048): keys that all queries of the text together attend to most.

import { checkFlag, checkNumber } from "../../options.ts";
import type { Queries } from "../method.ts";
import { optionsOf, type Scorer, Selection } from "./selection.ts";
import { groupReceived } from "./values.ts";

export interface H2OOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** Divide what a key received by how many queries could see it, as kvpress does: true. */
  average?: boolean;
  /** How many queries a KV head are looked at, drawn evenly over the text: all. A thousand find nearly the same keys. */
  perHead?: number;
  /** How many of the last tokens stay; the paper gives them half the room: 0. */
  recent?: number;
}

/**
 * H2O, heavy hitters (Zhang et al. 2023, arXiv 2306.14048): keeps the keys that all queries of the text together attend to
 * most.
 *
 * score_j = sum_{i >= j} A_ij / (T - j), the mean over the query heads of a KV head.
 */
export function h2o(given?: H2OOptions): Selection {
  const { options, ratio } = optionsOf("h2o", given, {
    ...{ average: true, recent: 0, perHead: Number.POSITIVE_INFINITY },
  });
  checkFlag("h2o", "average", options.average);
  checkNumber("h2o", "recent", options.recent, { least: 0, whole: true });
  checkNumber("h2o", "perHead", options.perHead, { least: 1 });
  return new Selection(heavyHitters("h2o", options), { ratio });
}

/** What each key received from every query of the text. */
export function heavyHitters(
  name: string,
  options: { average: boolean; recent: number; sinks?: number; perHead?: number },
): Scorer {
  const { average, recent, sinks = 0, perHead = Number.POSITIVE_INFINITY } = options;
  return {
    ...{ name, options: { ...options }, recent, sinks },
    queries: () => queriesOf(perHead),
    score: async (stored, source, seen) => {
      const all = await groupReceived(source, stored, seen!);
      if (!average) return all;
      const { positions } = seen!;
      for (const [h, scores] of all.entries()) {
        let before = 0;
        stored.positions[h]!.forEach((position, j) => {
          while (before < positions.length && positions[before]! < position) before++;
          scores[j]! /= Math.max(1, positions.length - before);
        });
      }
      return all;
    },
  };
}

/** All queries of the text, or so many of them for a KV head. */
export function queriesOf(perHead: number): Queries {
  return Number.isFinite(perHead) ? { of: "context", perHead } : { of: "every" };
}
