// A person's judgement as a cell: the model answers each prompt several times, every answer has buttons for its rank, and what
// was chosen becomes pairs to learn from (Ouyang et al. 2022 rank 4 to 9 answers and learn all pairs of a ranking together).

import type { Dataset } from "../data/dataset.ts";
import { data } from "../data/index.ts";
import type { GenerateOptions } from "../decode/generate.ts";
import { settingsOf } from "../decode/options.ts";
import { runTogether } from "../decode/together.ts";
import { LensorError } from "../errors.ts";
import { currentHost } from "../host.ts";
import { buttons } from "../input/buttons.ts";
import type { Input } from "../input/input.ts";
import type { Model } from "../model/model.ts";
import { checkNumber, describe } from "../options.ts";
import type { MimeBundle } from "../plot/figure.ts";
import { escapeHtml } from "../plot/html.ts";
import { type PairRow, promptText, type Said, saidOf } from "./pairs.ts";

export interface RankOptions extends Omit<GenerateOptions, "cache" | "compact"> {
  /** Answers to each prompt, 2 to 9: 3. */
  answers?: number;
}

/** Draws the answers. @throws LensorError for what is no prompt */
export async function rank(
  model: Model,
  prompts: readonly Said[],
  options: RankOptions = {},
): Promise<Ranking> {
  const call = "model.rank";
  const { answers = 3, ...rest } = options;
  checkNumber(call, "answers", answers, { least: 2, most: 9, whole: true });
  const wrong = Array.isArray(prompts)
    ? prompts.find((one) => saidOf(one) === undefined || one === "")
    : prompts;
  if (!Array.isArray(prompts) || prompts.length === 0 || wrong !== undefined)
    throw new LensorError(`${call} needs prompts`, {
      expected: "a list of texts, or of lists of messages, none of them empty",
      got: describe(wrong ?? prompts),
    });
  const settings = settingsOf(call, { temperature: 1, ...rest });
  const requests = prompts.flatMap((prompt: Said) =>
    Array.from({ length: answers }, (_, i) => ({
      ids: model.tokenizer.encode(promptText(model, prompt)).ids,
      opening: "",
      settings: { ...settings, seed: settings.seed + i },
    })),
  );
  const replies = await runTogether(model, requests, rest);
  return new Ranking(
    prompts.map((prompt: Said, i) => ({
      prompt,
      answers: replies.slice(i * answers, (i + 1) * answers).map(({ text }) => text),
    })),
  );
}

export interface Question {
  readonly prompt: Said;
  readonly answers: readonly string[];
}

/** Answers to be ranked. A cell that reads `ranks` or `pairs()` runs again when a person ranks. */
export class Ranking {
  readonly questions: readonly Question[];
  /** Of each answer to each question, 1 the best; 0 while it has none. */
  readonly inputs: readonly (readonly Input<number>[])[];

  constructor(questions: readonly Question[]) {
    this.questions = questions;
    this.inputs = questions.map(({ answers }, q) =>
      answers.map((_, a) =>
        buttons(`question ${q + 1}, answer ${a + 1}`, {
          options: Object.fromEntries([
            ["–", 0],
            ...answers.map((_, i) => [placeName(i + 1), i + 1]),
          ]) as Record<string, number>,
        }),
      ),
    );
  }

  /** What was chosen: `[questions][answers]`, 1 the best, 0 where nothing was. */
  get ranks(): number[][] {
    return this.inputs.map((all) => all.map(({ value }) => value));
  }

  /** Every two answers to a question of which one was ranked before the other, to be learnt from. Ties say nothing. */
  pairs(): PairRow[] {
    const { ranks } = this;
    return this.questions.flatMap(({ prompt, answers }, q) =>
      answers.flatMap((chosen, a) =>
        answers.flatMap((rejected, b) => {
          const [one, other] = [ranks[q]![a]!, ranks[q]![b]!];
          return one > 0 && other > one ? [{ prompt, chosen, rejected }] : [];
        }),
      ),
    );
  }

  /** The pairs as a dataset: prompt, chosen, rejected. */
  dataset(): Dataset<{ prompt: Said; chosen: Said; rejected: Said }> {
    return data.from(this.pairs().map((row) => ({ ...row })));
  }

  /** Each question, its answers, and below each the buttons for its rank. */
  [Symbol.for("Jupyter.display")](): MimeBundle | undefined {
    const host = currentHost();
    if (!host) return { "text/plain": this.toString() };
    this.questions.forEach(({ prompt, answers }, q) => {
      host.display(paragraph(textOf(prompt), true));
      answers.forEach((answer, a) => {
        host.display(paragraph(answer, false));
        const show = this.inputs[q]![a]![Symbol.for("Jupyter.display") as never] as () => MimeBundle;
        host.display(show.call(this.inputs[q]![a]!));
      });
    });
    return undefined;
  }

  toString(): string {
    const { ranks } = this;
    return this.questions
      .map(({ prompt, answers }, q) =>
        [textOf(prompt), ...answers.map((answer, a) => `  [${ranks[q]![a] || " "}] ${answer}`)].join("\n"),
      )
      .join("\n");
  }
}

function placeName(place: number): string {
  return place === 1 ? "best" : `${place}${["th", "st", "nd", "rd"][place] ?? "th"}`;
}

function textOf(said: Said): string {
  return typeof said === "string" ? said : (said.at(-1)?.content ?? "");
}

function paragraph(text: string, strong: boolean): MimeBundle {
  const look = `white-space:pre-wrap;max-width:80ch;line-height:1.5;font-family:var(--jp-content-font-family,system-ui,sans-serif)`;
  const indent = strong ? ";font-weight:600;margin-top:1em" : ";margin-left:2em";
  return { "text/plain": text, "text/html": `<div style="${look}${indent}">${escapeHtml(text)}</div>` };
}
