// Replies to prompts, drawn together and as tokens: the end token that a reply came to is part of what is learnt. Relies on
// decode; knows no reward.

import { settingsOf } from "../decode/options.ts";
import { endedBy, type Request, runTogether } from "../decode/together.ts";
import type { Model } from "../model/model.ts";
import { quietly } from "../progress.ts";
import { joined } from "./pairs.ts";
import type { Sequence } from "./pass.ts";

export interface Sampling {
  /** The most tokens of a reply. */
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly stop: readonly string[];
}

export interface DrawnReply {
  readonly text: string;
  readonly sequence: Sequence;
}

/** One reply to each prompt's ids, each with a seed of its own. */
export async function drawReplies(
  model: Model,
  prompts: readonly (readonly number[])[],
  seeds: readonly number[],
  sampling: Sampling,
  signal?: AbortSignal,
): Promise<DrawnReply[]> {
  const requests: Request[] = prompts.map((ids, i) => ({
    ids,
    opening: "",
    settings: settingsOf("model.reinforce", { ...sampling, seed: seeds[i]! }),
  }));
  const parts = await quietly(() => runTogether(model, requests, signal ? { signal } : {}));
  return parts.map((reply, i) => ({
    text: reply.text,
    sequence: joined(prompts[i]!, [...reply.tokens, ...endedBy(reply)]),
  }));
}
