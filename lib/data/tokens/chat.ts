// A conversation as text, with the stretches that the assistant said: what it has to learn, its end token included, and nothing
// of what stands around it. The model's own template is asked turn by turn, so that none of its words are guessed.

import { LensorError } from "../../errors.ts";
import { type Message, renderChat } from "../../text/chat.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

/** A part of a text, and whether it is to be learnt. Parts are encoded each for itself: so no token is half of either. */
export interface Part {
  readonly text: string;
  readonly learn: boolean;
}

/**
 * @param options.from Turns before this one are given, not learnt, whoever said them.
 * @param options.whole As one part, all of it to be learnt: then no turn has to be found.
 * @throws LensorError where the template writes earlier turns anew once others follow: its stretches cannot be told
 */
export function conversation(
  tokenizer: Tokenizer,
  messages: Message[],
  { from = 0, whole = false } = {},
): Part[] {
  const { chatTemplate } = tokenizer;
  const tokens = {
    ...(tokenizer.bos !== undefined && { bos: tokenizer.token(tokenizer.bos) }),
    ...(tokenizer.eos !== undefined && { eos: tokenizer.token(tokenizer.eos) }),
  };
  const text = renderChat(chatTemplate, messages, tokens);
  if (whole) return [{ text, learn: true }];
  const parts: Part[] = [];
  let at = 0;
  messages.forEach(({ role }, i) => {
    if (role !== "assistant" || i < from) return;
    const after =
      i + 1 === messages.length ? text : renderChat(chatTemplate, messages.slice(0, i + 1), tokens);
    const before =
      i === 0 ? "" : renderChat(chatTemplate, messages.slice(0, i), { ...tokens, addGenerationPrompt: true });
    if (!after.startsWith(before) || !text.startsWith(after))
      throw new LensorError(
        "The chat template writes earlier turns anew: which tokens the assistant said cannot be told",
        {
          fix: 'Learn all tokens instead: tokenize(tokenizer, { learn: "all" }), or give rows of prompt and completion.',
        },
      );
    // Without a turn before it there is no opening to ask for: its own content tells where it begins.
    const start = i === 0 ? Math.max(0, after.indexOf(messages[0]!.content)) : before.length;
    const end = start + spoken(after.slice(start), tokenizer);
    parts.push({ text: text.slice(at, start), learn: false }, { text: text.slice(start, end), learn: true });
    at = end;
  });
  return [...parts, { text: text.slice(at), learn: false }];
}

/** Of a turn, up to its end token: the line break that templates put after it is not generated. */
function spoken(turn: string, tokenizer: Tokenizer): number {
  let end = -1;
  for (const id of tokenizer.special) {
    const token = tokenizer.token(id);
    const at = turn.lastIndexOf(token);
    if (at >= 0 && turn.slice(at + token.length).trim() === "") end = Math.max(end, at + token.length);
  }
  return end < 0 ? turn.trimEnd().length : end;
}
