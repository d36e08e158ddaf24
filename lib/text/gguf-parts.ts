// A tokenizer out of a GGUF file's metadata: read and checked. The format: "tokenizer.ggml.*" of
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { LensorError } from "../errors.ts";
import type { GgufFile } from "../model/gguf.ts";
import { LLAMA_3, PRE_TOKENIZERS, type TokenizerParts } from "./parts.ts";

/** Kinds of a token that is cut out of a text before anything else. */
export const CONTROL = 3;
export const USER_DEFINED = 4;
/** What no text stands for. */
export const UNUSED = 5;

/** @throws LensorError where the file has no tokenizer that lensor reads */
export function partsOfGguf(file: GgufFile): TokenizerParts {
  const { path, metadata } = file;
  const { tokens, types, merges, cut } = readFields(file);
  // As llama.cpp takes it.
  const ignoreMerges = cut === LLAMA_3;
  const id = (key: string) => {
    const value = metadata.get(`tokenizer.ggml.${key}_token_id`);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < tokens.length)
      return value;
    throw new LensorError(`${path}: tokenizer.ggml.${key}_token_id is no token`, {
      expected: `an id from 0 to ${tokens.length - 1}`,
      got: String(value).slice(0, 60),
    });
  };
  const ofType = (...wanted: number[]) => tokens.flatMap((_, i) => (wanted.includes(types[i]!) ? [i] : []));
  const bos = id("bos");
  const template = metadata.get("tokenizer.chat_template");
  return {
    ...{
      tokens,
      merges,
      pre: PRE_TOKENIZERS[cut]!,
      ignoreMerges,
      bos,
      eos: id("eos"),
      unknown: id("unknown"),
      padding: id("padding"),
    },
    special: new Set(ofType(CONTROL)),
    added: new Set(ofType(CONTROL, USER_DEFINED)),
    addsBos: (metadata.get("tokenizer.ggml.add_bos_token") ?? cut === LLAMA_3) === true && bos !== undefined,
    chatTemplate: typeof template === "string" ? template : undefined,
  };
}

interface Fields {
  tokens: string[];
  types: number[];
  merges: string[];
  /** A name of PRE_TOKENIZERS. */
  cut: string;
}

function readFields({ path, metadata }: GgufFile): Fields {
  const model = metadata.get("tokenizer.ggml.model");
  if (model !== "gpt2")
    throw new LensorError(`${path}: the tokenizer is not one that lensor reads`, {
      expected: `tokenizer.ggml.model "gpt2" (byte-level BPE)`,
      got: model === undefined ? "none" : JSON.stringify(String(model).slice(0, 60)),
    });
  const name = metadata.get("tokenizer.ggml.pre") ?? "gpt-2";
  if (typeof name !== "string" || !Object.hasOwn(PRE_TOKENIZERS, name))
    throw new LensorError(`${path}: the tokenizer cuts text in a way lensor does not know`, {
      expected: `tokenizer.ggml.pre to be one of ${Object.keys(PRE_TOKENIZERS).join(", ")}`,
      got: JSON.stringify(String(name).slice(0, 60)),
    });
  const list = <T extends "string" | "number">(key: string, type: T, length?: number, least = 1) => {
    const value = metadata.get(key);
    const fits =
      Array.isArray(value) &&
      value.every((x) => typeof x === type) &&
      (length === undefined ? value.length >= least : value.length === length);
    if (fits) return value as unknown as (T extends "string" ? string : number)[];
    throw new LensorError(`${path}: ${key} is ${value === undefined ? "missing" : "wrong"}`, {
      expected: `an array of ${length ?? "at least one"} ${type}s`,
      got: Array.isArray(value) ? `an array of ${value.length} values` : typeof value,
      fix: "The file is damaged: fetch it again.",
    });
  };
  const tokens = list("tokenizer.ggml.tokens", "string");
  const types = list("tokenizer.ggml.token_type", "number", tokens.length);
  // A vocabulary of bytes alone has none.
  const merges = list("tokenizer.ggml.merges", "string", undefined, 0);
  return { tokens, types, merges, cut: name };
}
