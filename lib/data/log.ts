// What a stage says while it runs: reasons for dropped rows, changes, notes, each with a few examples. Holds counts and short
// texts only, whatever passes through; knows no pipeline.

/** Examples kept of a reason, and characters of each. */
const EXAMPLES = 3;
const LONG = 300;
/** Broken inputs kept in full; beyond them they are counted. */
const ASIDE = 1000;

/** Why rows were dropped, how many, and a few of them. */
export interface Reason {
  /** In a word or two. */
  readonly reason: string;
  /** Rows that were dropped for it. */
  readonly count: number;
  /** The beginnings of a few. */
  readonly examples: readonly string[];
}

/** A piece of input that could not be read: it is not among the rows, and not lost either. */
export interface Broken {
  /** Where it is. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Why it could not be read. */
  readonly problem: string;
  /** Its beginning. */
  readonly text: string;
}

/**
 * What a step says while it runs: reasons for dropped rows, changes, notes, each with a few examples. Counts and short texts
 * only, whatever passes through.
 */
export class Log {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly notes: Record<string, unknown> = {};
  readonly broken: Broken[] = [];
  brokenCount = 0;
  readonly #drops = new Map<string, { count: number; examples: string[] }>();
  readonly #changes = new Map<string, { count: number; examples: string[] }>();

  constructor(name: string, options: Readonly<Record<string, unknown>> = {}) {
    this.name = name;
    this.options = options;
  }

  /** A row is left out: why, and the row or its text. */
  drop(reason: string, example?: unknown): void {
    add(this.#drops, reason, 1, example);
  }

  /** Something in a row that stays was changed, or is worth knowing: an address redacted, a text cut. */
  change(what: string, example?: unknown, count = 1): void {
    add(this.#changes, what, count, example);
  }

  /** A finding about all rows, plain data: the clusters of duplicates, a threshold that was learnt. */
  note(name: string, value: unknown): void {
    this.notes[name] = value;
  }

  /** A line or record that is no row. */
  aside(broken: Broken): void {
    this.brokenCount++;
    if (this.broken.length < ASIDE) this.broken.push({ ...broken, text: broken.text.slice(0, 1 << 16) });
  }

  /** The most frequent first. */
  get drops(): Reason[] {
    return listed(this.#drops);
  }
  get changes(): Reason[] {
    return listed(this.#changes);
  }
}

function add(
  to: Map<string, { count: number; examples: string[] }>,
  reason: string,
  count: number,
  example: unknown,
): void {
  let entry = to.get(reason);
  if (!entry) to.set(reason, (entry = { count: 0, examples: [] }));
  entry.count += count;
  if (example === undefined || entry.examples.length >= EXAMPLES) return;
  const text = typeof example === "string" ? example : inWords(example);
  entry.examples.push(text.length > LONG ? `${text.slice(0, LONG)}…` : text);
}

function listed(from: Map<string, { count: number; examples: string[] }>): Reason[] {
  return [...from]
    .map(([reason, { count, examples }]) => ({ reason, count, examples }))
    .sort((a, b) => b.count - a.count);
}

/** A value as one line of text, bigints and bytes too. */
export function inWords(value: unknown): string {
  if (typeof value === "string") return value;
  const plain = (_: string, one: unknown) =>
    typeof one === "bigint"
      ? String(one)
      : ArrayBuffer.isView(one)
        ? `${(one as Uint8Array).length} numbers`
        : one;
  try {
    return JSON.stringify(value, plain) ?? String(value);
  } catch {
    return String(value);
  }
}
