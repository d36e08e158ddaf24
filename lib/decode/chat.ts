// Answers a conversation: the model's own template around the messages, then generate.

import type { Model } from "../model/model.ts";
import { type Message, renderChat } from "../text/chat.ts";
import { type GenerateOptions, run } from "./generate.ts";
import { Reply, type ReplyParts } from "./reply.ts";

/** What a model answered in a conversation: a `Reply` that knows the messages before it. */
export class ChatReply extends Reply {
  /** The conversation with the answer at its end, ready to be continued. */
  readonly messages: Message[];

  constructor(parts: ReplyParts, messages: Message[]) {
    super(parts);
    this.messages = [...messages, { role: "assistant", content: parts.text }];
  }
}

export async function chat(
  model: Model,
  messages: Message[],
  options: GenerateOptions = {},
): Promise<ChatReply> {
  const { tokenizer } = model;
  const tokenText = (id: number | undefined) => (id === undefined ? undefined : tokenizer.decode([id]));
  const text = renderChat(tokenizer.chatTemplate, messages, {
    addGenerationPrompt: true,
    bos: tokenText(tokenizer.bos),
    eos: tokenText(tokenizer.eos),
  });
  return new ChatReply(await run(model, text, options, "model.chat"), messages);
}
