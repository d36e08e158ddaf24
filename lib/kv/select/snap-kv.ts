// SnapKV (Li et al. 2024, arXiv 2404.14469): what the last tokens of the text attend to, smoothed over neighbours.

import { LensorError } from "../../errors.ts";
import { checkNumber } from "../../options.ts";
import type { Source } from "../method.ts";
import { optionsOf, type Scorer, Selection } from "./selection.ts";
import { groupReceived } from "./values.ts";

export interface SnapKVOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** How many of the last tokens look, and stay: 64. */
  window?: number;
  /** Over how many neighbouring keys a score is averaged, odd: 5. */
  kernel?: number;
}

/**
 * SnapKV (Li et al. 2024, arXiv 2404.14469): keeps what the last tokens of the text attend to, smoothed over neighbours.
 *
 * score_j = mean over a window of last queries of A_ij, averaged over `kernel` neighbours and the heads of the group.
 */
export function snapKV(given?: SnapKVOptions): Selection {
  const { options, ratio } = optionsOf("snapKV", given, { window: 64, kernel: 5 });
  return new Selection(windowAttention("snapKV", options), { ratio });
}

export function windowAttention(name: string, options: { window: number; kernel: number }): Scorer {
  const { window, kernel } = options;
  checkNumber(name, "window", window, { least: 1, whole: true });
  checkNumber(name, "kernel", kernel, { least: 1, whole: true });
  if (kernel % 2 === 0)
    throw new LensorError(`${name}: kernel is wrong`, { expected: "an odd number", got: String(kernel) });
  return {
    ...{ name, options: { ...options }, recent: window },
    queries: (source) => {
      checkWindow(name, window, source);
      return { of: "last", count: window };
    },
    score: async (stored, source, seen) => {
      const all = await groupReceived(source, stored, seen!);
      // The window itself stays: it is no neighbour of the keys before it.
      return all.map((scores, h) => {
        const before = stored.positions[h]!.findIndex((position) => position >= source.length - window);
        return smoothed(before < 0 ? scores : scores.subarray(0, before), scores.length, kernel, window);
      });
    },
  };
}

/** The mean over `kernel` neighbours, zeros beside the ends counted, as torch's avg_pool1d has it. */
function smoothed(sums: Float32Array, length: number, kernel: number, queries: number): Float32Array {
  const out = new Float32Array(length);
  const half = (kernel - 1) / 2;
  for (let j = 0; j < sums.length; j++) {
    let sum = 0;
    for (let i = Math.max(0, j - half); i <= Math.min(sums.length - 1, j + half); i++) sum += sums[i]!;
    out[j] = sum / kernel / queries;
  }
  return out;
}

export function checkWindow(name: string, window: number, source: Source): void {
  if (source.length > window) return;
  throw new LensorError(`${name}: the window is as long as the text`, {
    expected: `a window of less than ${source.length} tokens`,
    got: String(window),
    fix: `Use ${name}({ window: ${Math.max(1, Math.floor(source.length / 4))} }), or a longer text.`,
  });
}
