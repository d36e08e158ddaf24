// What Branch-Solve-Merge gives: a text with the parts that it was merged from, or a verdict with every score. Holds words and
// numbers, no model.

import { type Table, tableFromArrays } from "apache-arrow";
import { Figure, type MimeBundle } from "../plot/figure.ts";
import { escapeHtml } from "../plot/html.ts";
import { verdictFigure } from "../plot/verdict.ts";
import type { Provenance } from "../provenance.ts";

export interface Branch {
  readonly task: string;
  readonly text: string;
}

/** One reading of both answers by one criterion. A score that could not be read is undefined. */
export interface Judged {
  readonly criterion: string;
  /** Whether B was read first. */
  readonly swapped: boolean;
  readonly a: number | undefined;
  readonly b: number | undefined;
  readonly text: string;
}

/** A text that Branch-Solve-Merge wrote, with the parts that it was merged from. Words alone, no model. */
export class BranchedText {
  /** What was written. */
  readonly text: string;
  /** Each sub-task, and its solution. */
  readonly branches: readonly Branch[];
  /** Whether the model made a plan; else its one branch is the task itself. */
  readonly planned: boolean;
  /** That were generated, over all answers: what the program costs. */
  readonly tokens: number;
  /** What made it: model, data, options, seed, versions. */
  readonly provenance: Provenance;

  /** @internal Use `branchSolveMerge().generate`. */
  constructor(parts: Pick<BranchedText, "text" | "branches" | "planned" | "tokens" | "provenance">) {
    this.text = parts.text;
    this.branches = parts.branches;
    this.planned = parts.planned;
    this.tokens = parts.tokens;
    this.provenance = parts.provenance;
  }

  /** One row a branch: task, text. */
  table(): Table {
    return tableFromArrays({
      task: this.branches.map(({ task }) => task),
      text: this.branches.map(({ text }) => text),
    });
  }

  [Symbol.for("Jupyter.display")](): MimeBundle {
    const parts = this.branches.map(
      ({ task, text }) => `<dt>${escapeHtml(task)}</dt><dd>${escapeHtml(text)}</dd>`,
    );
    return {
      "text/plain": this.text,
      "text/html": `<div style="white-space:pre-wrap">${escapeHtml(this.text)}</div><details><summary>${this.branches.length} branches, ${this.tokens} tokens</summary><dl>${parts.join("")}</dl></details>`,
    };
  }
}

/** Which of two answers Branch-Solve-Merge found better, with every score that it rests on. Words and numbers, no model. */
export class Verdict {
  /** Each reading: a criterion, an order of the two answers, and the scores that were given. */
  readonly judged: readonly Judged[];
  /** Whether the model named criteria; else there is one, the whole. */
  readonly planned: boolean;
  /** That were generated, over all answers: what the program costs. */
  readonly tokens: number;
  /** What made it: model, data, options, seed, versions. */
  readonly provenance: Provenance;

  /** @internal Use `branchSolveMerge().evaluate`. */
  constructor(parts: Pick<Verdict, "judged" | "planned" | "tokens" | "provenance">) {
    this.judged = parts.judged;
    this.planned = parts.planned;
    this.tokens = parts.tokens;
    this.provenance = parts.provenance;
  }

  /** Mean scores over criteria and orders, of those that could be read; NaN where none could. */
  get scores(): { a: number; b: number } {
    return { a: mean(this.judged, "a"), b: mean(this.judged, "b") };
  }

  /** The answer with the higher mean score. */
  get winner(): "a" | "b" | "tie" {
    const { a, b } = this.scores;
    return a > b ? "a" : b > a ? "b" : "tie";
  }

  /** Readings whose scores could not be read. */
  get unread(): number {
    return this.judged.filter(({ a }) => a === undefined).length;
  }

  /** The share of criteria whose sign turns with the order in which the answers are read: how far position decides. */
  get swayed(): number {
    const signs = this.#criteria().map((own) =>
      own.map(({ a, b }) => Math.sign((a ?? Number.NaN) - (b ?? Number.NaN))),
    );
    const both = signs.filter((pair) => pair.length === 2 && pair.every((sign) => !Number.isNaN(sign)));
    return both.filter(([one, other]) => one !== other).length / both.length;
  }

  /** Each criterion's scores of both. */
  plot(): Figure {
    const criteria = this.#criteria().map((own) => ({
      name: own[0]!.criterion,
      a: mean(own, "a"),
      b: mean(own, "b"),
    }));
    const { winner, scores, unread, judged } = this;
    return new Figure(() => verdictFigure({ criteria, winner, scores, unread, readings: judged.length }));
  }

  /** One row a reading: criterion, swapped, a, b (NaN where unread), text. */
  table(): Table {
    const number = (name: "a" | "b") => Float64Array.from(this.judged, (one) => one[name] ?? Number.NaN);
    return tableFromArrays({
      criterion: this.judged.map(({ criterion }) => criterion),
      swapped: this.judged.map(({ swapped }) => swapped),
      ...{ a: number("a"), b: number("b"), text: this.judged.map(({ text }) => text) },
    });
  }

  #criteria(): Judged[][] {
    const names = [...new Set(this.judged.map(({ criterion }) => criterion))];
    return names.map((name) => this.judged.filter(({ criterion }) => criterion === name));
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

function mean(judged: readonly Judged[], name: "a" | "b"): number {
  const scores = judged.flatMap((one) => one[name] ?? []);
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}
