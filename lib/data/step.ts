// What a stage of data is: the contract of every verb and every method of curation, one a file. Pure types and the two
// makers that turn a judgement or a redaction of one text into a step. Knows no format and no pipeline.

import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import type { Chunk } from "./chunk.ts";
import type { Log } from "./log.ts";

/**
 * One stage: takes chunks of rows, gives chunks of rows, and says to the log what it dropped or changed and why. It is a
 * description, not a run: `run` starts anew at every call, keeps its state inside, and gives the same for the same input.
 */
export interface Step {
  /** As the user writes it: "dedup", "gopher". */
  readonly name: string;
  /** Plain data (JSON) that tells all of what it does: for the report, provenance and the fingerprint. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What it does depends on more than its options: a function's surroundings. Then nothing after it is kept on disk. */
  readonly opaque?: boolean;
  /** A hash of what it works with beside its options, as it is when this is asked: a model's weights. */
  fingerprint?(): Promise<string>;
  /** Columns after it, given those before: left out where they stay. undefined: known only when rows come. May throw. */
  readonly columns?: (before: readonly string[]) => readonly string[] | undefined;
  /** Rows in and out, characters and words are counted around it: it tells `log` reasons, changes and notes only. */
  run(input: AsyncIterable<Chunk>, log: Log): AsyncIterable<Chunk>;
}

/** A reason to drop a text, or what is kept of it, or undefined: it stays as it is. */
export type Judgement = string | { readonly text: string } | undefined;

/** Judges one text at a time: `dataset.filter(gopher())`. */
export interface Filter {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What it judges depends on more than its options: see Step. */
  readonly opaque?: boolean;
  /** Of what it judges with beside its options: see Step. */
  fingerprint?(): Promise<string>;
  /** Which column it reads; `text` by default. */
  readonly column?: string;
  /** Awaited before the first text: to load what it needs. */
  prepare?(): Promise<void>;
  /** A reason is few words that are the same for like cases: "too few stop words". */
  judge(text: string): Judgement | Promise<Judgement>;
}

/** A place in a text that a redactor replaced. */
export interface Found {
  /** "email", "phone number". */
  readonly kind: string;
  /** In UTF-16 units of the original text. */
  readonly start: number;
  readonly end: number;
}

/** Replaces parts of one text at a time: `dataset.redact(pii())`. */
export interface Redactor {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly column?: string;
  redact(text: string): { text: string; found: readonly Found[] };
}

/** A filter as a step. Rows without that text are dropped too, and counted. */
export function filterStep(filter: Filter): Step {
  checkShape(filter, "judge");
  const { name, options, column = "text" } = filter;
  return {
    name,
    options: { ...options, ...(column !== "text" && { column }) },
    ...(filter.opaque && { opaque: true }),
    ...(filter.fingerprint && { fingerprint: () => filter.fingerprint!() }),
    async *run(input, log) {
      await filter.prepare?.();
      for await (const chunk of input) {
        const kept: number[] = [];
        const texts = chunk.texts(column, name);
        const parts = new Map<number, string>();
        for (let i = 0; i < texts.length; i++) {
          const text = texts[i];
          const judged = text === undefined ? `no text in "${column}"` : filter.judge(text);
          const judgement = judged instanceof Promise ? await judged : judged;
          if (typeof judgement === "string") {
            log.drop(judgement, text ?? chunk.row(i));
            continue;
          }
          kept.push(i);
          if (judgement === undefined || judgement.text === text) continue;
          parts.set(i, judgement.text);
          log.change("parts of the text left out", judgement.text);
        }
        const changed =
          parts.size === 0
            ? chunk
            : chunk.with(
                column,
                texts.map((text, i) => parts.get(i) ?? text),
              );
        yield changed.pick(kept);
      }
    },
  };
}

/** A redactor as a step: the text is replaced in its column. Rows without that text stay as they are. */
export function redactStep(redactor: Redactor): Step {
  checkShape(redactor, "redact");
  const { name, options, column = "text" } = redactor;
  return {
    name,
    options: { ...options, ...(column !== "text" && { column }) },
    async *run(input, log) {
      for await (const chunk of input) {
        const before = chunk.column(column, name);
        const after = chunk.texts(column, name).map((text, i) => {
          if (text === undefined) return before[i];
          const { text: redacted, found } = redactor.redact(text);
          // The example is the text as it is afterwards: a report is no place for what was taken out.
          for (const { kind, start } of found)
            log.change(kind, redacted.slice(Math.max(0, start - 60), start + 60));
          return redacted;
        });
        yield chunk.with(column, after);
      }
    },
  };
}

function checkShape(given: Filter | Redactor, verb: "judge" | "redact"): void {
  const record = given as unknown as Record<string, unknown> | null | undefined;
  if (typeof record?.name === "string" && typeof record[verb] === "function") return;
  throw new LensorError(`dataset.${verb === "judge" ? "filter" : "redact"} cannot use this`, {
    expected:
      verb === "judge"
        ? "a function of a row, or a filter such as quality.gopher()"
        : "a redactor such as pii()",
    got: describe(given),
  });
}
