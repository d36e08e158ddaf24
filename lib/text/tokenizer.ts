// A byte-level BPE tokenizer out of a GGUF file's own metadata. Encoding is done by @huggingface/tokenizers from a
// tokenizer.json made here; decoding is done here, over bytes, so that nothing is trimmed, cleaned up or lost.

import { Tokenizer as Encoder } from "@huggingface/tokenizers";
import { LensorError } from "../errors.ts";
import type { GgufFile } from "../model/gguf.ts";
import { ALPHABET, bytesOfToken, readable } from "./bytes.ts";

export interface Encoding {
  ids: number[];
  /** The text of each token, as `token(id)` gives it. */
  tokens: string[];
}

const CONTROL = 3;
const USER_DEFINED = 4;

// The Rust library's \s is Unicode White_Space, JavaScript's has U+FEFF and lacks U+0085; its digits are all of \p{N}.
const SPACE = "\\t-\\r \\x85\\xA0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000";
const GPT2 =
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+` +
  `|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`;
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const BYTES = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };

/** How text is cut before merging, by the name a GGUF file gives it: upstream's Digits + ByteLevel, and ByteLevel alone. */
const PRE_TOKENIZERS: Record<string, object[]> = {
  smollm: [split("\\p{N}"), split(GPT2), BYTES],
  "gpt-2": [split(GPT2), BYTES],
};

export class Tokenizer {
  /** Number of tokens. */
  readonly size: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
  readonly padding: number | undefined;
  /** Ids of the control tokens, such as `<|im_start|>`. */
  readonly special: ReadonlySet<number>;
  readonly addsBos: boolean;
  /** The model's chat template, in Jinja, where it has one. */
  readonly chatTemplate: string | undefined;
  private readonly vocabulary: string[];
  private readonly added: ReadonlySet<number>;
  private readonly bytes: Uint8Array[] = [];
  private readonly texts: string[] = [];
  private readonly makeEncoder: () => Encoder;
  private encoder: Encoder | undefined;

  private constructor(file: GgufFile) {
    const { path, metadata } = file;
    const fields = readFields(file);
    const { tokens, types } = fields;
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
    this.vocabulary = tokens;
    this.size = tokens.length;
    this.bos = id("bos");
    this.eos = id("eos");
    this.unknown = id("unknown");
    this.padding = id("padding");
    this.special = new Set(ofType(CONTROL));
    this.added = new Set(ofType(CONTROL, USER_DEFINED));
    this.addsBos = metadata.get("tokenizer.ggml.add_bos_token") === true && this.bos !== undefined;
    const template = metadata.get("tokenizer.chat_template");
    this.chatTemplate = typeof template === "string" ? template : undefined;
    this.makeEncoder = () => makeEncoder(fields, [...this.added], this.special);
  }

  /** @throws LensorError where the file has no tokenizer that lensor reads */
  static fromGguf(file: GgufFile): Tokenizer {
    return new Tokenizer(file);
  }

  /**
   * Ids of a text. A special token's text becomes that token. A byte that the vocabulary lacks is left out, as upstream
   * does: SmolLM2 lacks six control characters (U+0004, 0006, 0013, 0014, 0016, 001D) and no assigned character else.
   */
  encode(text: string): Encoding {
    if (typeof text !== "string")
      throw new LensorError("tokenizer.encode takes text", {
        expected: "a string",
        got: text === null ? "null" : typeof text,
      });
    // Made at the first use: building the merge table takes longer than reading the file's header.
    this.encoder ??= this.makeEncoder();
    const ids: number[] = text === "" ? [] : this.encoder.encode(text, { add_special_tokens: false }).ids;
    if (this.addsBos) ids.unshift(this.bos!);
    return { ids, tokens: ids.map((id) => this.token(id)) };
  }

  /** Text of ids; bytes that are no UTF-8 become U+FFFD. `skipSpecial` leaves control tokens out. */
  decode(ids: Iterable<number>, options: { skipSpecial?: boolean } = {}): string {
    const wanted = options.skipSpecial ? [...ids].filter((id) => !this.special.has(id)) : ids;
    return Buffer.from(this.decodeBytes(wanted)).toString("utf8");
  }

  decodeBytes(ids: Iterable<number>): Uint8Array {
    const parts = Array.from(ids, (id) => this.bytesOf(id));
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /** Text of one token for people, spaces kept: `" the"`; bytes that are no characters by themselves as `<0xE6>`. */
  token(id: number): string {
    return (this.texts[id] ??= readable(this.bytesOf(id)));
  }

  /** Id of a token written as text, such as `<|im_end|>`, or undefined. */
  idOf(token: string): number | undefined {
    for (const id of this.added) if (this.vocabulary[id] === token) return id;
    const { ids } = this.encode(token);
    const bare = this.addsBos ? ids.slice(1) : ids;
    return bare.length === 1 && this.token(bare[0]!) === token ? bare[0] : undefined;
  }

  /** Decodes token by token, for a stream. */
  stream(options: { skipSpecial?: boolean } = {}): StreamDecoder {
    return new StreamDecoder(this, options);
  }

  /** @internal The bytes one token stands for. */
  bytesOf(id: number): Uint8Array {
    const known = this.bytes[id];
    if (known) return known;
    const token = this.vocabulary[id];
    if (token === undefined)
      throw new LensorError("There is no such token", {
        expected: `ids that are whole numbers from 0 to ${this.size - 1}`,
        got: String(id),
      });
    const own = this.added.has(id) ? undefined : bytesOfToken(token);
    return (this.bytes[id] = own ?? new TextEncoder().encode(token));
  }
}

/** Emits only whole characters: the bytes of an unfinished one wait for the tokens that complete it. */
export class StreamDecoder {
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  private readonly tokenizer: Tokenizer;
  private readonly skipSpecial: boolean;

  constructor(tokenizer: Tokenizer, { skipSpecial = false }: { skipSpecial?: boolean } = {}) {
    this.tokenizer = tokenizer;
    this.skipSpecial = skipSpecial;
  }

  /** The characters that this token completes, often one word, sometimes none. */
  push(id: number): string {
    const bytes = this.tokenizer.bytesOf(id);
    if (this.skipSpecial && this.tokenizer.special.has(id)) return "";
    return this.decoder.decode(bytes, { stream: true });
  }

  /** What was still unfinished, as U+FFFD. All pieces together equal `decode` of all ids. */
  flush(): string {
    return this.decoder.decode();
  }
}

interface Fields {
  tokens: string[];
  types: number[];
  merges: string[];
  pre: object[];
}

function readFields({ path, metadata }: GgufFile): Fields {
  const model = metadata.get("tokenizer.ggml.model");
  if (model !== "gpt2")
    throw new LensorError(`${path}: the tokenizer is not one that lensor reads`, {
      expected: `tokenizer.ggml.model "gpt2" (byte-level BPE)`,
      got: model === undefined ? "none" : JSON.stringify(String(model).slice(0, 60)),
    });
  const name = metadata.get("tokenizer.ggml.pre") ?? "gpt-2";
  const pre =
    typeof name === "string" && Object.hasOwn(PRE_TOKENIZERS, name) ? PRE_TOKENIZERS[name] : undefined;
  if (!pre)
    throw new LensorError(`${path}: the tokenizer cuts text in a way lensor does not know`, {
      expected: `tokenizer.ggml.pre to be one of ${Object.keys(PRE_TOKENIZERS).join(", ")}`,
      got: JSON.stringify(String(name).slice(0, 60)),
    });
  const list = <T extends "string" | "number">(key: string, type: T, length?: number) => {
    const value = metadata.get(key);
    const fits =
      Array.isArray(value) &&
      value.every((x) => typeof x === type) &&
      (length === undefined ? value.length > 0 : value.length === length);
    if (fits) return value as unknown as (T extends "string" ? string : number)[];
    throw new LensorError(`${path}: ${key} is ${value === undefined ? "missing" : "wrong"}`, {
      expected: `an array of ${length ?? "at least one"} ${type}s`,
      got: Array.isArray(value) ? `an array of ${value.length} values` : typeof value,
      fix: "The file is damaged: fetch it again.",
    });
  };
  const tokens = list("tokenizer.ggml.tokens", "string");
  const types = list("tokenizer.ggml.token_type", "number", tokens.length);
  const merges = list("tokenizer.ggml.merges", "string");
  return { tokens, types, merges, pre };
}

function makeEncoder(
  { tokens, merges, pre }: Fields,
  added: number[],
  special: ReadonlySet<number>,
): Encoder {
  // The Rust library drops bytes that have no token before it merges, the JavaScript one after; so they go here.
  const known = new Set(tokens);
  const missing = ALPHABET.filter((character) => !known.has(character)).map(
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const drop = { type: "Replace", pattern: { Regex: `[${missing.join("")}]` }, content: "" };
  const json = {
    added_tokens: added.map((id) => ({
      id,
      content: tokens[id]!,
      special: special.has(id),
      normalized: false,
      single_word: false,
      lstrip: false,
      rstrip: false,
    })),
    normalizer: null,
    pre_tokenizer: { type: "Sequence", pretokenizers: missing.length > 0 ? [...pre, drop] : pre },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    // fromEntries defines keys as they are, where assigning "__proto__" would not.
    model: {
      type: "BPE",
      vocab: Object.fromEntries(tokens.map((t, id) => [t, id])),
      merges,
      unk_token: null,
    },
  };
  return new Encoder(json, { clean_up_tokenization_spaces: false });
}
