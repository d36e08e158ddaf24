// What a byte-level BPE tokenizer is made of, whatever file it came from or whoever trained it, and the encoder that it
// gives. The pieces were checked by whoever read them; nothing here touches a file.

import { Tokenizer as Encoder } from "@huggingface/tokenizers";
import { ALPHABET } from "./bytes.ts";

export interface TokenizerParts {
  /** By id, in the byte alphabet; added ones as they are written in text. */
  readonly tokens: readonly string[];
  /** "a b", the earliest first. */
  readonly merges: readonly string[];
  /** Ids of control tokens, such as `<|im_start|>`. */
  readonly special: ReadonlySet<number>;
  /** Ids of all tokens that are cut out of a text before anything else: the special ones too. */
  readonly added: ReadonlySet<number>;
  /** How text is cut before merging: steps in the words of tokenizer.json, the last of which turns text into bytes. */
  readonly pre: readonly PreStep[];
  /** Of Unicode, in the words of tokenizer.json, before anything is cut. */
  readonly normalizer?: object | undefined;
  /** A word that is a token as a whole stays one, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  readonly bos?: number | undefined;
  readonly eos?: number | undefined;
  readonly unknown?: number | undefined;
  readonly padding?: number | undefined;
  /** A text's ids begin with `bos`. */
  readonly addsBos?: boolean;
  /** In Jinja. */
  readonly chatTemplate?: string | undefined;
}

// The Rust library's \s is Unicode White_Space, JavaScript's has U+FEFF and lacks U+0085; its digits are all of \p{N}.
const SPACE = "\\t-\\r \\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000";
/** How GPT-2 cuts text into words, as a regular expression whose matches are the words. */
export const GPT2 =
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+` +
  `|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`;

/** One step of cutting text, in the words of tokenizer.json. */
export interface PreStep {
  readonly type: string;
  readonly [option: string]: unknown;
}

const BYTES: PreStep = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const BOTH_CASES = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
/** The name of Llama 3's way, in which a word that is a token stays one. */
export const LLAMA_3 = "llama-bpe";
const LLAMA_3_WORDS =
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}` +
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** How text is cut before merging, by the name a GGUF file gives it. */
export const PRE_TOKENIZERS: Readonly<Record<string, readonly PreStep[]>> = {
  smollm: [{ type: "Digits", individual_digits: true }, BYTES],
  "gpt-2": [BYTES],
  [LLAMA_3]: [
    { type: "Split", pattern: { Regex: LLAMA_3_WORDS }, behavior: "Isolated", invert: false },
    { ...BYTES, use_regex: false },
  ],
};

/** A pattern of the Rust library's: its white space is another, and JavaScript knows no flags for a part of one. */
function forJavaScript(pattern: string): string {
  let inClass = false;
  return pattern.replace(CONTRACTIONS, BOTH_CASES).replace(/\\.|[[\]]/gs, (part) => {
    if (part === "[" || part === "]") inClass = part === "[";
    if (part === "\\s") return inClass ? SPACE : `[${SPACE}]`;
    return part === "\\S" && !inClass ? `[^${SPACE}]` : part;
  });
}

/** How text is cut, for JavaScript, whose digits and white space are others. */
export function stepsOf({ pre }: TokenizerParts): readonly PreStep[] {
  return pre.flatMap(encodable);
}

function encodable(step: PreStep): PreStep[] {
  const split = (Regex: string) => ({
    ...{ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
  });
  if (step.type === "Digits") return [split(step.individual_digits ? "\\p{N}" : "\\p{N}+")];
  if (step.type === "ByteLevel" && step.use_regex !== false)
    return [split(GPT2), { ...step, use_regex: false }];
  const pattern = (step as { pattern?: { Regex?: string } }).pattern?.Regex;
  if (pattern !== undefined) return [{ ...step, pattern: { Regex: forJavaScript(pattern) } }];
  return [step];
}

/** 256 tokens, one a byte, and one that ends a text: what a model without a vocabulary of its own reads. */
export function byteParts(): TokenizerParts {
  const end = ALPHABET.length;
  return {
    ...{ tokens: [...ALPHABET, "<|endoftext|>"], merges: [], pre: PRE_TOKENIZERS["gpt-2"]!, eos: end },
    ...{ special: new Set([end]), added: new Set([end]) },
  };
}

/** The tokenizer in the words of Hugging Face's tokenizer.json, which its Rust library reads. */
export function tokenizerJson(parts: TokenizerParts) {
  const { tokens, merges, pre, added, special, normalizer = null, ignoreMerges = false } = parts;
  return {
    added_tokens: [...added].map((id) => ({
      id,
      content: tokens[id]!,
      special: special.has(id),
      normalized: false,
      single_word: false,
      lstrip: false,
      rstrip: false,
    })),
    normalizer,
    pre_tokenizer: { type: "Sequence", pretokenizers: pre },
    post_processor: null,
    decoder: BYTES,
    // fromEntries defines keys as they are, where assigning "__proto__" would not.
    model: {
      type: "BPE",
      vocab: Object.fromEntries(tokens.map((t, id) => [t, id])),
      merges,
      unk_token: null,
      ignore_merges: ignoreMerges,
    },
  };
}

export function makeEncoder(parts: TokenizerParts): Encoder {
  // The Rust library drops bytes that have no token before it merges, the JavaScript one after; so they go here.
  const known = new Set(parts.tokens);
  const missing = ALPHABET.filter((character) => !known.has(character)).map(
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const drop = { type: "Replace", pattern: { Regex: `[${missing.join("")}]` }, content: "" };
  const steps = stepsOf(parts);
  const json = tokenizerJson({ ...parts, pre: missing.length > 0 ? [...steps, drop] : steps });
  return new Encoder(json, { clean_up_tokenization_spaces: false });
}
