// `tokenize(tokenizer)`: rows become token ids and a mask of what is to be learnt, Int32 and 0 or 1 each, columns `ids` and `mask`;
// other columns stay. Conversations are rendered with the model's own template, and learnt where the assistant speaks.

import { Field, Int32, List, Uint8 } from "apache-arrow";
import { LensorError } from "../../errors.ts";
import { checkChoice, checkFlag, checkNames, checkNumber, describe } from "../../options.ts";
import type { Message } from "../../text/chat.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { type Chunk, noColumn, type Row } from "../chunk.ts";
import { hashOf } from "../fingerprint.ts";
import type { Step } from "../step.ts";
import { conversation, type Part } from "./chat.ts";
import { cut, LONG, type Long, type Sequence } from "./long.ts";

export interface TokenizeOptions {
  /** Where the text is, or the messages; else `messages`, `prompt` with `completion`, or `text`, whichever there is. */
  column?: string;
  /** `replies`: what the assistant says, or the completion; `all`: every token. `replies` where there are any. */
  learn?: "replies" | "all";
  /** Adds the end token after a text; by default after completions alone, as templates bring their own. */
  end?: boolean;
  /** In tokens: see `long`. No bound by default. */
  length?: number;
  /** What becomes of a sequence longer than `length`; `split` by default. */
  long?: Long;
}

type Learn = TokenizeOptions["learn"];

/** What a row says. `open`: raw text, whose end no template has written. */
interface Piece {
  readonly parts: readonly Part[];
  readonly replies: boolean;
  readonly open: boolean;
}

const IDS = new List(new Field("item", new Int32(), true));
const MASK = new List(new Field("item", new Uint8(), true));
/** What is no longer needed once there are ids. */
const READ = ["text", "messages", "prompt", "completion"];

export function tokenize(tokenizer: Tokenizer, options: TokenizeOptions = {}): Step {
  if (typeof tokenizer?.encode !== "function")
    throw new LensorError("tokenize takes a tokenizer", {
      expected: "model.tokenizer",
      got: describe(tokenizer),
    });
  checkNames("tokenize", options, ["column", "learn", "end", "length", "long"]);
  const { column, learn, end, length, long = "split" } = options;
  if (learn !== undefined) checkChoice("tokenize", "learn", learn, ["replies", "all"]);
  if (end !== undefined) checkFlag("tokenize", "end", end);
  if (length !== undefined) checkNumber("tokenize", "length", length, { least: 2, whole: true });
  checkChoice("tokenize", "long", long, LONG);
  if (end && tokenizer.eos === undefined)
    throw new LensorError("tokenize: this tokenizer has no end token", { fix: "Leave out { end: true }." });
  return {
    name: "tokenize",
    options: { ...options, tokenizer: fingerprintOfTokenizer(tokenizer) },
    columns: (before) => [...before.filter((name) => name !== column && !READ.includes(name)), "ids", "mask"],
    async *run(input, log) {
      for await (const chunk of input) {
        const form = formOf(chunk, column);
        const kept: number[] = [];
        const sequences: Sequence[] = [];
        for (let i = 0; i < chunk.length; i++) {
          const piece = pieceOf(tokenizer, form, learn, (name) => chunk.columns.get(name)?.values[i]);
          if (typeof piece === "string") {
            log.drop(piece, chunk.row(i));
            continue;
          }
          const sequence = sequenceOf(tokenizer, piece, learn, end);
          if (sequence.ids.length === 0) {
            log.drop("no tokens", chunk.row(i));
            continue;
          }
          for (const one of length === undefined ? [sequence] : cut(sequence, length, long, log)) {
            kept.push(i);
            sequences.push(one);
          }
        }
        const rest = chunk.names.filter((name) => name !== column && !READ.includes(name));
        yield chunk
          .only(rest, "tokenize")
          .pick(kept)
          .with(
            "ids",
            sequences.map(({ ids }) => ids),
            IDS,
          )
          .with(
            "mask",
            sequences.map(({ mask }) => mask),
            MASK,
          );
      }
    },
  };
}

type Form = { readonly kind: "text" | "messages"; readonly column: string } | "completion";

function formOf(chunk: Chunk, column: string | undefined): Form {
  const { columns, names } = chunk;
  if (column !== undefined) {
    const values = chunk.column(column, "tokenize");
    return { kind: values.some((value) => Array.isArray(value)) ? "messages" : "text", column };
  }
  if (columns.has("messages")) return { kind: "messages", column: "messages" };
  if (columns.has("prompt") && columns.has("completion")) return "completion";
  if (columns.has("text")) return { kind: "text", column: "text" };
  throw noColumn("text", names, "tokenize (it reads messages, prompt with completion, or text)");
}

/** What a row says, or why it says nothing. */
function pieceOf(
  tokenizer: Tokenizer,
  form: Form,
  learn: Learn,
  get: (column: string) => unknown,
): Piece | string {
  try {
    if (form === "completion") return completed(tokenizer, learn, get("prompt"), get("completion"));
    const value = get(form.column);
    if (form.kind === "text")
      return typeof value === "string" ? plainText(value) : `no text in "${form.column}"`;
    if (!Array.isArray(value)) return `no messages in "${form.column}"`;
    return talk(tokenizer, learn, value as Message[]);
  } catch (error) {
    // What a template says of one row is that row's affair; a model without a template concerns them all.
    if (error instanceof LensorError && tokenizer.chatTemplate !== undefined)
      return error.message.split("\n")[0]!;
    throw error;
  }
}

const plainText = (text: string): Piece => ({ parts: [{ text, learn: true }], replies: false, open: false });

function talk(tokenizer: Tokenizer, learn: Learn, messages: Message[], from = 0): Piece | string {
  const parts = conversation(tokenizer, messages, { from, whole: learn === "all" });
  if (!parts.some((part) => part.learn)) return "no turn of the assistant";
  return { parts, replies: true, open: false };
}

/** A prompt and what follows it; or why they say nothing. @internal */
export function completed(
  tokenizer: Tokenizer,
  learn: Learn,
  prompt: unknown,
  completion: unknown,
): Piece | string {
  if (typeof prompt === "string" && typeof completion === "string") {
    if (completion === "") return "empty completion";
    const parts = [
      { text: prompt, learn: false },
      { text: completion, learn: true },
    ];
    return { parts, replies: true, open: true };
  }
  if (!Array.isArray(prompt)) return 'no text or messages in "prompt"';
  const reply: Row[] = Array.isArray(completion) ? completion : [{ role: "assistant", content: completion }];
  return talk(tokenizer, learn, [...prompt, ...reply] as Message[], prompt.length);
}

/** @internal */
export function sequenceOf(
  tokenizer: Tokenizer,
  { parts, replies, open }: Piece,
  learn: Learn,
  end = open,
): Sequence {
  if (learn === "replies" && !replies)
    throw new LensorError("tokenize: there are no replies to learn in plain text", {
      expected: "rows of messages, or of prompt and completion",
      fix: 'Leave out { learn: "replies" }.',
    });
  const ids: number[] = [];
  const mask: number[] = [];
  for (const part of parts) {
    if (part.text === "") continue;
    const own = tokenizer.idsOf(part.text);
    // A start token belongs to the beginning alone.
    for (let i = ids.length > 0 && tokenizer.addsBos ? 1 : 0; i < own.length; i++) {
      ids.push(own[i]!);
      mask.push(part.learn || learn === "all" ? 1 : 0);
    }
  }
  if (end && tokenizer.eos !== undefined) {
    ids.push(tokenizer.eos);
    mask.push(1);
  }
  return { ids: Int32Array.from(ids), mask: Uint8Array.from(mask) };
}

const fingerprints = new WeakMap<Tokenizer, string>();

/** Of all that decides which ids a text becomes, and how conversations are written. */
export function fingerprintOfTokenizer(tokenizer: Tokenizer): string {
  let known = fingerprints.get(tokenizer);
  if (!known) {
    const { added, special, ...rest } = tokenizer.parts;
    known = hashOf({ ...rest, added: [...added], special: [...special] }).slice(0, 16);
    fingerprints.set(tokenizer, known);
  }
  return known;
}
