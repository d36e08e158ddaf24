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
  messages.forEach(({ role, content }, i) => {
    if (role !== "assistant" || i < from) return;
    // Without a turn before it there is no opening to ask for: its own content tells where it begins.
    const before =
      i === 0
        ? text.slice(0, Math.max(0, text.indexOf(content)))
        : renderChat(chatTemplate, messages.slice(0, i), { ...tokens, addGenerationPrompt: true });
    const start = before.length;
    const end = text.startsWith(before)
      ? (closed(text, start, content, tokenizer) ??
        endIn(text, start, renderChat(chatTemplate, messages.slice(0, i + 1), tokens), tokenizer))
      : undefined;
    if (end === undefined)
      throw new LensorError(
        "The chat template writes earlier turns anew: which tokens the assistant said cannot be told",
        {
          fix: 'Learn all tokens instead: tokenize(tokenizer, { learn: "all" }), or give rows of prompt and completion.',
        },
      );
    parts.push({ text: text.slice(at, start), learn: false }, { text: text.slice(start, end), learn: true });
    at = end;
  });
  return [...parts, { text: text.slice(at), learn: false }];
}

/** Where the turn ends that is written as it was said, with an end token right after it; undefined where it is not. */
function closed(text: string, start: number, content: string, tokenizer: Tokenizer): number | undefined {
  if (!text.startsWith(content, start)) return undefined;
  const from = start + content.length;
  for (const id of tokenizer.special) {
    const token = tokenizer.token(id);
    if (token !== "" && text.startsWith(token, from)) return from + token.length;
  }
  return undefined;
}

/** The same of any other turn: told from the conversation as it is when nothing follows. */
function endIn(text: string, start: number, after: string, tokenizer: Tokenizer): number | undefined {
  return text.startsWith(after) ? start + spoken(after.slice(start), tokenizer) : undefined;
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
