// A byte-level BPE tokenizer. Encoding is done by @huggingface/tokenizers from its parts; decoding is done here, over bytes,
// so that nothing is trimmed, cleaned up or lost. What a file says is its reader's business: this knows parts alone.

import { mkdir } from "node:fs/promises";
import { LensorError } from "../errors.ts";
import type { GgufFile } from "../model/gguf.ts";
import { bytesOfToken, readable } from "./bytes.ts";
import { partsOfGguf } from "./gguf-parts.ts";
import { makeEncoder, type TokenizerParts } from "./parts.ts";
import { writeTokenizerFolder } from "./save-tokenizer.ts";
import { readTokenizerFolder } from "./tokenizer-json.ts";
import { WordEncoder } from "./word-encoder.ts";

export interface Encoding {
  ids: number[];
  /** The text of each token, as `token(id)` gives it. */
  tokens: string[];
}

/**
 * A byte-level BPE tokenizer: text to ids and back, with nothing trimmed, cleaned up or lost. Comes with a model
 * (`model.tokenizer`), from a folder, or from `text.trainBPE`.
 */
export class Tokenizer {
  /** Number of tokens. */
  readonly size: number;
  /** The id that begins a text, where there is one. */
  readonly bos: number | undefined;
  /** The id that ends one. */
  readonly eos: number | undefined;
  /** The id of what no other token says. */
  readonly unknown: number | undefined;
  /** The id that fills up batches. */
  readonly padding: number | undefined;
  /** Ids of the control tokens, such as `<|im_start|>`. */
  readonly special: ReadonlySet<number>;
  /** Whether `encode` puts the beginning's id in front. */
  readonly addsBos: boolean;
  /** The model's chat template, in Jinja, where it has one. */
  readonly chatTemplate: string | undefined;
  /** What it is made of. */
  readonly parts: TokenizerParts;
  private readonly bytes: Uint8Array[] = [];
  private readonly texts: string[] = [];
  private encoder: ((text: string) => number[]) | undefined;

  private constructor(parts: TokenizerParts) {
    this.parts = parts;
    this.size = parts.tokens.length;
    this.bos = parts.bos;
    this.eos = parts.eos;
    this.unknown = parts.unknown;
    this.padding = parts.padding;
    this.special = parts.special;
    this.addsBos = parts.addsBos ?? false;
    this.chatTemplate = parts.chatTemplate;
  }

  /**
   * The tokenizer inside a GGUF file that was opened.
   * @throws LensorError where the file has no tokenizer that lensor reads
   */
  static fromGguf(file: GgufFile): Tokenizer {
    return new Tokenizer(partsOfGguf(file));
  }

  /** Of pieces that are known to fit each other: trained, or read from a file. @internal */
  static fromParts(parts: TokenizerParts): Tokenizer {
    return new Tokenizer(parts);
  }

  /** Of a folder with tokenizer.json, as `save` and transformers write it. */
  static async load(folder: string): Promise<Tokenizer> {
    return new Tokenizer(await readTokenizerFolder(folder));
  }

  /** Writes tokenizer.json, which the Rust library and transformers read too, and tokenizer_config.json into a folder. */
  async save(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await writeTokenizerFolder(folder, this.parts);
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
    const ids = this.idsOf(text);
    return { ids, tokens: ids.map((id) => this.token(id)) };
  }

  /** The ids of `encode` alone. @internal */
  idsOf(text: string): number[] {
    // Made at the first use: building the merge table takes longer than reading the file's header.
    this.encoder ??= encoderOf(this.parts);
    const ids = text === "" ? [] : this.encoder(text);
    if (this.addsBos) ids.unshift(this.bos!);
    return ids;
  }

  /** Text of ids; bytes that are no UTF-8 become U+FFFD. `skipSpecial` leaves control tokens out. */
  decode(ids: Iterable<number>, options: { skipSpecial?: boolean } = {}): string {
    const wanted = options.skipSpecial ? [...ids].filter((id) => !this.special.has(id)) : ids;
    return Buffer.from(this.decodeBytes(wanted)).toString("utf8");
  }

  /** The bytes of ids, also of those that end within a character. */
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
    for (const id of this.parts.added) if (this.parts.tokens[id] === token) return id;
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
    const token = this.parts.tokens[id];
    if (token === undefined)
      throw new LensorError("There is no such token", {
        expected: `ids that are whole numbers from 0 to ${this.size - 1}`,
        got: String(id),
      });
    const own = this.parts.added.has(id) ? undefined : bytesOfToken(token);
    return (this.bytes[id] = own ?? new TextEncoder().encode(token));
  }
}

/** Word by word where the rules allow it, which is many times as fast; else as the package does. */
function encoderOf(parts: TokenizerParts): (text: string) => number[] {
  const encoder = makeEncoder(parts);
  const slow = (text: string): number[] => encoder.encode(text, { add_special_tokens: false }).ids;
  const words = WordEncoder.of(parts, slow);
  return words ? (text) => words.encode(text) : slow;
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
