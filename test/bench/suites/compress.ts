/**
 * `lensor bench compress`: smaller and combined models. Put together from parts, one a file: each has contests, readings that it
 * watches, or both, and leaves out by itself what --only does not name.
 */
import type { Contest, Reading } from "../figure.ts";
import type { Suite } from "../main.ts";
import type { Options } from "../options.ts";
import { bits } from "./compress-bits.ts";
import { decode } from "./compress-decode.ts";
import { experts } from "./compress-experts.ts";
import { ggufTypes } from "./compress-gguf.ts";
import { quantizing } from "./compress-gptq.ts";
import { merging } from "./compress-merge.ts";
import { thin } from "./compress-prune.ts";

const PARTS: readonly Suite[] = [decode, ggufTypes, bits, thin, experts, merging, quantizing];

export const compress = {
  rounds: 7,
  async contests(options: Options): Promise<Contest[]> {
    const all = await Promise.all(PARTS.map((part) => part.contests?.(options) ?? []));
    return all.flat();
  },
  async *watch(options: Options): AsyncGenerator<Reading> {
    for (const part of PARTS) yield* part.watch?.(options) ?? [];
  },
};
