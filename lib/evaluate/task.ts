// Tasks with right answers, scored by log-likelihood as lm-evaluation-harness does it: of several choices the likeliest after the
// prompt, of one answer whether greedy decoding gives it token by token. In exact mode; after a cache, in its own.

import type { Table } from "apache-arrow";
import { Dataset } from "../data/dataset.ts";
import { LensorError } from "../errors.ts";
import { Cache } from "../kv/cache.ts";
import { checkContext } from "../model/ids.ts";
import { checkFlag, checkNames, describe } from "../options.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { likeliest, logprobsAfter, pickedOf } from "./distributions.ts";
import { pairedInterval, shareInterval } from "./intervals.ts";
import { eachModel, type Measure, type Measured, type Metric, type Subject } from "./measure.ts";

/** Right where the answer is the likeliest of the choices. */
export interface ChoiceRow {
  /** What stands before each choice. */
  readonly prompt: string;
  /** What may follow. */
  readonly choices: readonly string[];
  /** A place in the choices, or one of them. */
  readonly answer: number | string;
}

/** Right where greedy decoding after the prompt gives exactly the answer's tokens. */
export interface ExactRow {
  /** What stands before the answer. */
  readonly prompt: string;
  /** What greedy decoding should give, token by token. */
  readonly answer: string;
}

/** A question of a task: choices, or one answer. */
export type TaskRow = ChoiceRow | ExactRow;

export interface TaskOptions {
  /** Of its column. */
  name?: string;
  /** Choices by log-likelihood a character (the harness's acc_norm), not as a whole (acc). */
  normalize?: boolean;
}

/** A row as it is asked. */
interface Question {
  readonly prompt: string;
  /** What may follow, with the space before it. */
  readonly answers: readonly string[];
  /** Characters of each, without that space. */
  readonly lengths: readonly number[];
  /** The right one's place; undefined for an exact answer. */
  readonly correct: number | undefined;
}

/**
 * A task with right answers, scored by log-likelihood as lm-evaluation-harness does it: of several choices the likeliest
 * after the prompt, of one answer whether greedy decoding gives it token by token.
 *
 * Share of right answers, with Wilson's 95 % interval. A space is put between prompt and answer unless one stands there.
 * @param rows A list, an Arrow table or a dataset of { prompt, choices, answer } or { prompt, answer }
 * @throws LensorError naming the row that cannot be asked
 */
export function task(
  rows: readonly TaskRow[] | Table | Dataset,
  options: TaskOptions = {},
): Metric & Measure {
  checkNames("task", options, ["name", "normalize"]);
  const { name = "accuracy", normalize = false } = options;
  if (typeof name !== "string" || name === "")
    throw new LensorError("task: name is wrong", { expected: "a word for its column", got: describe(name) });
  checkFlag("task", "normalize", normalize);
  // What is in memory is looked at now; a dataset when it is asked.
  const known = rows instanceof Dataset ? undefined : questionsOf(rows);
  return eachModel(
    {
      ...{ name, unit: "of 1", better: "higher", kind: "quality", options: { normalize } },
      paired: (own, reference) => pairedInterval(rightOf(own), rightOf(reference)),
      beside: (reference, difference) => reference + difference,
    },
    async (subject, proceed) => {
      const questions = known ?? questionsOf(await allOf(rows as Dataset));
      const right: boolean[] = [];
      for (const question of questions) {
        right.push(await asked(subject, question, normalize));
        if (!proceed(right.length / questions.length) && right.length < questions.length) return undefined;
      }
      return { ...shareInterval(right), samples: right.map((one) => ({ sum: Number(one), count: 1 })) };
    },
  );
}

async function allOf(dataset: Dataset): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of dataset) rows.push(row);
  return rows;
}

const rightOf = ({ samples }: Measured) => samples!.map(({ sum }) => sum === 1);

function questionsOf(rows: Iterable<unknown>): Question[] {
  if (typeof rows?.[Symbol.iterator] !== "function" || typeof rows === "string")
    throw new LensorError("task needs rows", {
      expected: "a list, an Arrow table or a dataset of { prompt, choices, answer } or { prompt, answer }",
      got: describe(rows),
    });
  const questions = Array.from(rows, questionOf);
  if (questions.length > 0) return questions;
  throw new LensorError("task: there is nothing to ask", { expected: "at least one row", got: "none" });
}

function questionOf(row: unknown, place: number): Question {
  const { prompt, choices, answer } = (row ?? {}) as Partial<ChoiceRow>;
  const wrong = (what: string, expected: string, got: unknown) =>
    new LensorError(`task: row ${place} has ${what}`, { expected, got: describe(got) });
  if (typeof prompt !== "string" || prompt === "") throw wrong("no prompt", "a text", prompt);
  const after = (text: string) => (/\s$/.test(prompt) || /^\s/.test(text) ? text : ` ${text}`);
  if (choices === undefined || choices === null) {
    if (typeof answer !== "string" || answer === "") throw wrong("no answer", "a text", answer);
    return { prompt, answers: [after(answer)], lengths: [answer.length], correct: undefined };
  }
  // Arrow gives lists as vectors.
  const list = typeof choices === "object" ? Array.from(choices as Iterable<unknown>) : [];
  if (list.length < 2 || list.some((one) => typeof one !== "string" || one === ""))
    throw wrong("choices that cannot be asked", "two texts or more, none of them empty", choices);
  const texts = list as string[];
  const correct = typeof answer === "string" ? texts.indexOf(answer) : Number(answer);
  if (!Number.isInteger(correct) || correct < 0 || correct >= texts.length)
    throw wrong(
      "an answer that is none of its choices",
      `one of them, or a place from 0 to ${texts.length - 1}`,
      answer,
    );
  return { prompt, answers: texts.map(after), lengths: texts.map(({ length }) => length), correct };
}

async function asked(subject: Subject, question: Question, normalize: boolean): Promise<boolean> {
  const { prompt, answers, lengths, correct } = question;
  const found = await answersOf(subject, prompt, answers);
  if (correct === undefined) return found[0]!.greedy;
  const scores = found.map(({ total }, i) => (normalize ? total / lengths[i]! : total));
  return scores.indexOf(Math.max(...scores)) === correct;
}

/**
 * ln p of each answer after the prompt, summed over its tokens, and whether greedy decoding gives it: the harness's
 * `loglikelihood`. @internal
 */
export async function answersOf(
  { model, cache }: Subject,
  prompt: string,
  answers: readonly string[],
): Promise<{ total: number; greedy: boolean }[]> {
  const pairs = answers.map((answer) => idsOf(model.tokenizer, prompt, answer));
  const before = pairs[0]!.before;
  const most = before.length + Math.max(...pairs.map(({ after }) => after.length));
  checkContext(cache?.position ?? 0, most, cache?.context ?? model.context);
  const start = cache?.fork() ?? Cache.empty(model, "exact", model.rope(most));
  try {
    // The prompt is read once; its last token again with each answer, whose first it predicts.
    if (before.length > 1) await start.append([...before.slice(0, -1)]);
    const found: { total: number; greedy: boolean }[] = [];
    for (const { after } of pairs) {
      const fork = start.fork();
      const rows = await logprobsAfter(fork, [before.at(-1)!, ...after.slice(0, -1)]);
      fork.dispose();
      const best = await likeliest(rows);
      const total = (await pickedOf(rows, after)).reduce((a, b) => a + b, 0);
      rows.dispose();
      found.push({ total, greedy: after.every((id, at) => best[at] === id) });
    }
    return found;
  } finally {
    start.dispose();
  }
}

/**
 * Tokens of the prompt, and those that follow it in prompt and answer together: spaces at the prompt's end belong to the answer,
 * as they do in the text that the model has learnt from.
 */
function idsOf(tokenizer: Tokenizer, prompt: string, answer: string) {
  const bare = prompt.trimEnd();
  const before = bare === "" ? prompt : bare;
  const first = tokenizer.encode(before).ids;
  const whole = tokenizer.encode(prompt + answer).ids;
  const after = whole.slice(first.length);
  if (after.length === 0)
    throw new LensorError(`task: the answer ${describe(answer)} is no token of its own after its prompt`, {
      fix: "End the prompt where a word ends.",
    });
  return { before: first, after };
}
