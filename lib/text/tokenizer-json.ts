// A byte-level BPE tokenizer as transformers keeps it: tokenizer.json, and beside it tokenizer_config.json and a chat
// template. Files come from strangers: every part has a limit and is checked. What lensor would do otherwise is refused.

import { join } from "node:path";
import { LensorError } from "../errors.ts";
import { isObject, type JsonObject, readJson, readText } from "../json.ts";
import { describe } from "../options.ts";
import type { PreStep, TokenizerParts } from "./parts.ts";

const LIMITS = {
  file: 64 << 20,
  config: 16 << 20,
  template: 1 << 20,
  tokens: 4 << 20,
  steps: 16,
  regex: 1 << 12,
};
const NORMALIZERS = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase"];

/**
 * The tokenizer of a folder. `size`: how many tokens its model knows; ids that no text stands for fill what is missing.
 * @throws LensorError naming the file and the part that is missing, wrong, or of a kind that lensor does not read
 */
export async function readTokenizerFolder(
  folder: string,
  size?: number,
  ids: { bos?: number | undefined; eos?: number | undefined } = {},
): Promise<TokenizerParts> {
  const path = join(folder, "tokenizer.json");
  const json = await readJson(path, LIMITS.file);
  if (!json)
    throw new LensorError(`${folder} has no tokenizer.json`, {
      expected: "the tokenizer beside the weights, as transformers saves it",
      fix: "Fetch it too, or save the tokenizer with transformers' save_pretrained.",
    });
  const config = (await readJson(join(folder, "tokenizer_config.json"), LIMITS.config)) ?? {};
  const parts = partsOfJson(path, json, size);
  const named = (key: string) => idOfToken(parts.tokens, config[`${key}_token`]);
  return {
    ...parts,
    bos: named("bos") ?? parts.bos ?? inside(ids.bos, parts.tokens.length),
    eos: named("eos") ?? inside(ids.eos, parts.tokens.length),
    unknown: named("unk"),
    padding: named("pad"),
    chatTemplate:
      templateOf(config.chat_template) ??
      (await readText(join(folder, "chat_template.jinja"), LIMITS.template)),
  };
}

const inside = (id: number | undefined, size: number) =>
  id !== undefined && Number.isInteger(id) && id >= 0 && id < size ? id : undefined;

/** "</s>", or { content: "</s>" }. */
function idOfToken(tokens: readonly string[], given: unknown): number | undefined {
  const text = isObject(given) ? given.content : given;
  const id = typeof text === "string" ? tokens.indexOf(text) : -1;
  return id < 0 ? undefined : id;
}

/** A text, or the one called "default" of several. */
function templateOf(given: unknown): string | undefined {
  if (typeof given === "string") return given.length <= LIMITS.template ? given : undefined;
  if (!Array.isArray(given)) return undefined;
  const one = given.find((entry) => isObject(entry) && entry.name === "default") as JsonObject | undefined;
  return templateOf(one?.template);
}

/** @throws LensorError for a part that is wrong, or that asks for what lensor does not do */
export function partsOfJson(path: string, json: JsonObject, size?: number): TokenizerParts {
  const refuse = (where: string, expected: string, got: unknown): never => {
    throw new LensorError(`${path}: ${where} is not one that lensor reads`, {
      expected,
      got: isObject(got) && typeof got.type === "string" ? `type ${describe(got.type)}` : describe(got),
    });
  };
  const model = isObject(json.model) ? json.model : refuse("model", "a byte-level BPE model", json.model);
  if (model.type !== "BPE" && !(model.type === undefined && model.merges))
    refuse("model", `type "BPE"`, model);
  if (model.byte_fallback === true)
    refuse("model", "bytes by an alphabet (byte-level BPE)", "byte_fallback: true");
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix"])
    if (model[key]) refuse(`model.${key}`, "none", model[key]);
  const { tokens, special, added } = tokensOf(path, model.vocab, json.added_tokens, size);
  const pre = stepsOf(json.pre_tokenizer, "pretokenizers", refuse);
  if (pre.at(-1)?.type !== "ByteLevel")
    refuse("pre_tokenizer", `steps whose last has type "ByteLevel" (byte-level BPE)`, json.pre_tokenizer);
  const begin = beginOf(json.post_processor, refuse);
  const bos = begin === undefined ? undefined : idOfToken(tokens, begin);
  if (begin !== undefined && bos === undefined) refuse("post_processor", "a token of the vocabulary", begin);
  return {
    ...{ tokens, special, added, pre, bos },
    merges: mergesOf(path, model.merges),
    normalizer: normalizerOf(json.normalizer, refuse),
    ignoreMerges: model.ignore_merges === true,
    addsBos: bos !== undefined,
  };
}

type Refuse = (where: string, expected: string, got: unknown) => never;

function tokensOf(path: string, vocabulary: unknown, extra: unknown, size: number | undefined) {
  const wrong = (problem: string, expected: string, got: unknown) =>
    new LensorError(`${path}: ${problem}`, {
      expected,
      got: describe(got),
      fix: "The file is damaged, or belongs to another model.",
    });
  const words = isObject(vocabulary) ? Object.entries(vocabulary) : [];
  const list = extra === undefined || extra === null ? [] : extra;
  if (words.length === 0 || words.length > LIMITS.tokens)
    throw wrong("model.vocab is wrong", `1 to ${LIMITS.tokens} tokens by their text`, vocabulary);
  if (!Array.isArray(list) || list.length > LIMITS.tokens || !list.every(isObject))
    throw wrong("added_tokens is wrong", "a list of tokens", extra);
  const all = [...words, ...list.map(({ content, id }) => [content, id] as const)] as [unknown, unknown][];
  const most = size ?? Math.min(LIMITS.tokens, words.length + list.length);
  const tokens: string[] = new Array(Math.min(most, LIMITS.tokens));
  for (const [text, id] of all) {
    if (typeof text !== "string" || text === "") throw wrong("a token has no text", "text", text);
    if (!(Number.isInteger(id) && (id as number) >= 0 && (id as number) < most))
      throw wrong(
        `the id of token ${describe(text)} is none of the model's`,
        `a whole number below ${most}`,
        id,
      );
    const known = tokens[id as number];
    if (known !== undefined && known !== text)
      throw wrong(`two tokens have the id ${id}`, describe(known), text);
    tokens[id as number] = text;
  }
  const bySpecial = list.filter(({ special }) => special === true).map(({ id }) => id as number);
  const plain = list.find((one) => ["single_word", "lstrip", "rstrip"].some((flag) => one[flag] === true));
  if (plain)
    throw wrong(
      `added token ${describe(plain.content)} asks for something that lensor does not do`,
      "single_word, lstrip and rstrip false",
      "true",
    );
  // Vocabularies are often padded to a round size: no text stands for these.
  for (let id = 0; id < tokens.length; id++) tokens[id] ??= `[PAD${id}]`;
  if (new Set(tokens).size !== tokens.length)
    throw wrong("one token has two ids", "every token once", `${tokens.length - new Set(tokens).size} more`);
  return { tokens, special: new Set(bySpecial), added: new Set(list.map(({ id }) => id as number)) };
}

/** "a b", or ["a", "b"]. */
function mergesOf(path: string, given: unknown): string[] {
  if (!Array.isArray(given) || given.length > 2 * LIMITS.tokens)
    throw new LensorError(`${path}: model.merges is wrong`, { expected: "a list", got: describe(given) });
  return given.map((one, i) => {
    const merge = Array.isArray(one) ? one.join(" ") : one;
    // In the byte alphabet no token has a space in it.
    if (typeof merge === "string" && /^[^ ]+ [^ ]+$/.test(merge)) return merge;
    throw new LensorError(`${path}: merge ${i} is wrong`, {
      expected: "two tokens with a space between them",
      got: describe(merge),
    });
  });
}

/** The steps of a pre-tokenizer or normalizer, sequences opened. */
function opened(given: unknown, list: string, refuse: Refuse, depth = 0): PreStep[] {
  if (given === null || given === undefined) return [];
  if (!isObject(given) || typeof given.type !== "string" || depth > 2)
    return refuse(list, "steps with a type", given);
  if (given.type !== "Sequence") return [given as PreStep];
  const inner = given[list];
  if (!Array.isArray(inner) || inner.length > LIMITS.steps) return refuse(list, "a few steps", inner);
  return inner.flatMap((one) => opened(one, list, refuse, depth + 1));
}

function stepsOf(given: unknown, list: string, refuse: Refuse): PreStep[] {
  const steps = opened(given, list, refuse);
  for (const step of steps) {
    const regex = isObject(step.pattern) ? (step.pattern.Regex ?? step.pattern.String) : undefined;
    const fits =
      step.type === "Digits" ||
      (step.type === "ByteLevel" && step.add_prefix_space !== true) ||
      (step.type === "Split" && typeof regex === "string" && regex.length <= LIMITS.regex);
    if (!fits) refuse("pre_tokenizer", "Digits, Split by a pattern, ByteLevel without a prefix space", step);
  }
  return steps;
}

function normalizerOf(given: unknown, refuse: Refuse): object | undefined {
  const steps = opened(given, "normalizers", refuse);
  const stranger = steps.find(({ type }) => !NORMALIZERS.includes(type));
  if (stranger) refuse("normalizer", NORMALIZERS.join(", "), stranger);
  return steps.length > 0 ? { type: "Sequence", normalizers: steps } : undefined;
}

/** The token that a text begins with, where the post-processor puts one there. */
function beginOf(given: unknown, refuse: Refuse): string | undefined {
  const template = opened(given, "processors", refuse).filter(({ type }) => type !== "ByteLevel");
  if (template.length === 0) return undefined;
  const [one] = template;
  const single = template.length === 1 && one!.type === "TemplateProcessing" ? one!.single : undefined;
  const pieces = (Array.isArray(single) ? single : []).map((piece) => {
    const special = isObject(piece) && isObject(piece.SpecialToken) ? piece.SpecialToken.id : undefined;
    return typeof special === "string" ? { special } : "text";
  });
  const [first, second, ...rest] = pieces;
  if (first === "text" && second === undefined) return undefined;
  if (typeof first === "object" && second === "text" && rest.length === 0) return first.special;
  return refuse("post_processor", "one token before the text, or none", given);
}
