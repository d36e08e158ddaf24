// Writes a tokenizer as transformers keeps it: tokenizer.json and tokenizer_config.json, the chat template inside the latter.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TokenizerParts, tokenizerJson } from "./parts.ts";

export async function writeTokenizerFolder(folder: string, parts: TokenizerParts): Promise<void> {
  const write = (name: string, value: object) =>
    writeFile(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`);
  await write("tokenizer.json", jsonOfParts(parts));
  const { tokens, bos, eos, unknown, padding, chatTemplate, addsBos } = parts;
  const text = (name: string, id: number | undefined) => (id === undefined ? {} : { [name]: tokens[id] });
  await write("tokenizer_config.json", {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    add_bos_token: addsBos ?? false,
    ...text("bos_token", bos),
    ...text("eos_token", eos),
    ...text("unk_token", unknown),
    ...text("pad_token", padding),
    ...(chatTemplate !== undefined && { chat_template: chatTemplate }),
  });
}

/** The content of tokenizer.json. The Rust library's words for a step and ours are the same. */
export function jsonOfParts(parts: TokenizerParts): object {
  const { tokens, bos, addsBos } = parts;
  const json = tokenizerJson(parts);
  if (!addsBos || bos === undefined) return { version: "1.0", ...json };
  const first = tokens[bos]!;
  const begin = (type_id: number) => ({ SpecialToken: { id: first, type_id } });
  const text = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  const post_processor = {
    type: "TemplateProcessing",
    single: [begin(0), text("A", 0)],
    pair: [begin(0), text("A", 0), begin(1), text("B", 1)],
    special_tokens: { [first]: { id: first, ids: [bos], tokens: [first] } },
  };
  return { version: "1.0", ...json, post_processor };
}
