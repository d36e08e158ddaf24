// Replies as a person gives them, in pairs or each good or bad by itself, read into tokens: text as it is, conversations through
// the model's template. What cannot teach anything is left out and counted, with the reason. Relies on tokenize.ts for masks.

import type { Table } from "apache-arrow";
import { Dataset } from "../data/dataset.ts";
import { completed, sequenceOf as encoded } from "../data/tokens/tokenize.ts";
import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { near } from "../near.ts";
import { describe } from "../options.ts";
import { type Message, renderChat } from "../text/chat.ts";
import { counted, type Sequence } from "./pass.ts";

/** Text is used as it is; messages get the chat template. */
export type Said = string | readonly Message[];

/** Two replies to one prompt, the better and the worse: text as it is, or messages, which get the chat template. */
export interface PairRow {
  /** What both answer. */
  readonly prompt: Said;
  /** The better reply. */
  readonly chosen: Said;
  /** The worse reply. */
  readonly rejected: Said;
}

/** A reply that is good (true) or bad by itself: TRL's columns for what is not in pairs. */
export interface LabelledRow {
  /** What is answered. */
  readonly prompt: Said;
  /** The reply. */
  readonly completion: Said;
  /** Whether it is good. */
  readonly label: boolean;
}

/** Rows in memory, an Arrow table, or a dataset, with these columns. */
export type Rows<R> = readonly R[] | Table | Dataset;

export interface Pair {
  readonly chosen: Sequence;
  readonly rejected: Sequence;
}

/** What one row teaches: a pair, or a reply alone, chosen where it is good and rejected where it is bad. */
export type Example = Partial<Pair>;

/** What was left out of so many rows, and why. */
export class LeftOut {
  readonly what: string;
  rows = 0;
  readonly reasons = new Map<string, number>();

  constructor(what: string) {
    this.what = what;
  }

  add(reason: string): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  get count(): number {
    return [...this.reasons.values()].reduce((a, b) => a + b, 0);
  }

  /** "3 of 40 pairs left out: 2 equal, 1 longer than 512 tokens". */
  toString(): string {
    const why = [...this.reasons].map(([reason, count]) => `${count} ${reason}`).join(", ");
    return `${this.count} of ${this.rows} ${this.what} left out${why && `: ${why}`}`;
  }
}

/** Rows of whatever holds them, in memory. @param forms Columns that they need, or others that do as well */
export async function rowsOf<R>(
  call: string,
  given: Rows<R>,
  ...forms: readonly (readonly string[])[]
): Promise<R[]> {
  if (!(given instanceof Dataset)) return rowsNow(call, given, ...forms) as R[];
  const rows: R[] = [];
  for await (const row of given) rows.push(row as R);
  return checkColumns(call, rows, forms);
}

/** The same where they are in memory already; undefined for a dataset. */
export function rowsNow<R>(
  call: string,
  given: Rows<R>,
  ...forms: readonly (readonly string[])[]
): R[] | undefined {
  if (given instanceof Dataset) return undefined;
  const table = given as Partial<Table> | null | undefined;
  if (typeof given !== "object" || typeof table?.[Symbol.iterator] !== "function")
    throw new LensorError(`${call} needs rows`, {
      expected: `a list of ${shown(forms)}, an Arrow table or a dataset`,
      got: describe(given),
    });
  return checkColumns(call, [...(given as Iterable<R>)], forms);
}

function shown(forms: readonly (readonly string[])[]): string {
  return forms.map((columns) => `{ ${columns.join(", ")} }`).join(" or ");
}

function checkColumns<R>(call: string, rows: R[], forms: readonly (readonly string[])[]): R[] {
  const first = rows.find((row) => typeof row === "object" && row !== null) as object | undefined;
  if (!first)
    throw new LensorError(`${call}: there is nothing to learn from`, {
      expected: `rows of ${shown(forms)}`,
      got: rows.length ? describe(rows[0]) : "none",
    });
  const names =
    "toJSON" in first ? Object.keys((first as { toJSON(): object }).toJSON()) : Object.keys(first);
  const isMissing = (column: string) =>
    !names.includes(column) && rows.every((row) => (row as Record<string, unknown>)?.[column] === undefined);
  // Of the form that they come nearest to.
  const [missing] = forms
    .map((columns) => columns.filter(isMissing))
    .reduce((least, one) => (one.length < least.length ? one : least));
  if (missing === undefined) return rows;
  const labelled = missing === "chosen" && names.includes("completion") && names.includes("label");
  const hint = labelled ? "kto() learns from prompt, completion, label." : near(missing, names);
  throw new LensorError(`${call}: the rows have no column "${missing}"`, {
    expected: forms.map((columns) => columns.join(", ")).join(" or "),
    got: names.join(", ").slice(0, 200),
    ...(hint && { fix: hint }),
  });
}

/**
 * @param most Tokens of prompt and reply together; longer ones are left out
 * @param unpaired Replies that are good or bad by themselves teach something too
 */
export function readExamples(
  model: Model,
  rows: readonly (PairRow | LabelledRow)[],
  most: number,
  unpaired: boolean,
): { examples: Example[]; leftOut: LeftOut } {
  const leftOut = new LeftOut(unpaired ? "rows" : "pairs");
  const examples: Example[] = [];
  for (const row of rows) {
    leftOut.rows++;
    const { chosen, rejected } = (row ?? {}) as Partial<PairRow>;
    const alone = unpaired && (chosen ?? rejected ?? undefined) === undefined;
    const found = alone
      ? readLabelled(model, row as LabelledRow, most)
      : readPair(model, row as PairRow, most);
    if (typeof found === "string") leftOut.add(found);
    else examples.push(found);
  }
  return { examples, leftOut };
}

function readLabelled(model: Model, row: LabelledRow, most: number): Example | string {
  const [prompt, completion] = [saidOf(row?.prompt), saidOf(row?.completion)];
  if (prompt === undefined || completion === undefined)
    return "with neither prompt, chosen, rejected nor prompt, completion, label";
  if (typeof row.label !== "boolean") return "whose label is neither true nor false";
  if (isEmpty(completion)) return "with an empty reply";
  if (!speaks(completion)) return "without a turn of the assistant";
  const reply = sequenceOf(model, prompt, completion);
  if (counted(reply) === 0) return "of which nothing can be predicted";
  if (reply.ids.length > most) return `longer than ${most} tokens`;
  return row.label ? { chosen: reply } : { rejected: reply };
}

function readPair(model: Model, row: PairRow, most: number): Pair | string {
  const [prompt, chosen, rejected] = [row?.prompt, row?.chosen, row?.rejected].map(saidOf);
  if (prompt === undefined || chosen === undefined || rejected === undefined)
    return "without prompt, chosen or rejected";
  if (isSame(chosen, rejected)) return "with equal replies";
  if (isEmpty(chosen) || isEmpty(rejected)) return "with an empty reply";
  if (!speaks(chosen) || !speaks(rejected)) return "without a turn of the assistant";
  const [good, bad] = [sequenceOf(model, prompt, chosen), sequenceOf(model, prompt, rejected)];
  if (counted(good) === 0 || counted(bad) === 0) return "of which nothing can be predicted";
  if (Math.max(good.ids.length, bad.ids.length) > most) return `longer than ${most} tokens`;
  return { chosen: good, rejected: bad };
}

/**
 * A prompt and a reply as tokens, the reply's with a 1. A reply of text ends with the model's end token, as TRL has it: else
 * a model would never learn to stop.
 */
export function sequenceOf({ tokenizer }: Model, prompt: Said, reply: Said): Sequence {
  const isText = typeof prompt === "string" && typeof reply === "string";
  const [before, said] = isText
    ? [prompt, reply]
    : [messagesOf(prompt, "user"), messagesOf(reply, "assistant")];
  // Of text that says nothing there is its end to tell.
  const silence = { parts: [{ text: before as string, learn: false }], replies: true, open: true };
  const piece = reply === "" && isText ? silence : completed(tokenizer, "replies", before, said);
  if (typeof piece === "string")
    throw new LensorError(`A reply cannot be read: ${piece}`, {
      expected: "text, or messages of which one at least is the assistant's",
      got: describe(reply),
    });
  const { ids, mask } = encoded(tokenizer, piece, "replies");
  // Behind the last thing said there is nothing to predict.
  const end = mask.lastIndexOf(1) + 1;
  return { ids: ids.subarray(0, end), mask: mask.subarray(0, end) };
}

/** A prompt as the model gets it before it replies: a conversation with the assistant's turn opened. */
export function promptText({ tokenizer }: Model, prompt: Said): string {
  if (typeof prompt === "string") return prompt;
  const textOf = (id: number | undefined) => (id === undefined ? undefined : tokenizer.decode([id]));
  return renderChat(tokenizer.chatTemplate, [...prompt], {
    addGenerationPrompt: true,
    bos: textOf(tokenizer.bos),
    eos: textOf(tokenizer.eos),
  });
}

export function joined(before: readonly number[], reply: readonly number[]): Sequence {
  const mask = new Uint8Array(before.length + reply.length);
  mask.fill(1, before.length);
  return { ids: Int32Array.from([...before, ...reply]), mask };
}

/** Text, or messages, of whatever kind of list a table has made of them; undefined for anything else. */
export function saidOf(value: unknown): Said | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value)) return undefined;
  const messages = Array.from(value as Iterable<Message>, (one) => ({
    role: one?.role,
    content: one?.content,
  }));
  const whole = messages.every(
    ({ role, content }) => typeof role === "string" && typeof content === "string",
  );
  return messages.length > 0 && whole ? messages : undefined;
}

function messagesOf(said: Said, role: string): readonly Message[] {
  return typeof said === "string" ? [{ role, content: said }] : said;
}

function isEmpty(said: Said): boolean {
  return typeof said === "string" ? said === "" : said.every(({ content }) => content === "");
}

function speaks(said: Said): boolean {
  return typeof said === "string" || said.some(({ role }) => role === "assistant");
}

function isSame(a: Said, b: Said): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
