// What a run writes down as it goes: one row an optimizer step, and marks where something happened. Plain data that
// checkpoints keep and plots draw. Knows nothing of how the rows came about.

import { Float64, Int32, Table, vectorFromArray } from "apache-arrow";
import type { Provenance } from "../provenance.ts";

/** The columns of every run, in their order; an objective adds its own. */
export const COLUMNS = ["step", "loss", "evalLoss", "lr", "gradNorm", "tokensPerSecond"] as const;

/** Numbers of one optimizer step, counted from 1; null where something was not measured. */
export type Row = Readonly<Record<(typeof COLUMNS)[number], number | null>> &
  Readonly<Record<string, number | null>>;

/** Something that happened before or at a step. */
export interface Mark {
  readonly step: number;
  readonly kind: "resumed" | "skipped" | "spike" | "rollback" | "stopped" | "best";
  readonly text: string;
}

export interface JournalFacts {
  /** "finetune", "train", "align": the verb that began it. */
  readonly call: string;
  readonly name: string;
  readonly objective: string;
  /** Planned; the run may end before. */
  readonly steps: number;
  /** What the objective notes. */
  readonly columns: readonly string[];
  readonly panels: Readonly<Record<string, string>>;
  readonly provenance: Provenance;
}

export interface JournalData {
  readonly facts: JournalFacts;
  readonly rows: readonly Row[];
  readonly marks: readonly Mark[];
  /** Rows of steps that the run went back behind. */
  readonly undone: readonly Row[];
  readonly startLoss: number | null;
  readonly startReward: number | null;
  /** That each batch is cut into, to fit the memory. */
  readonly parts: number;
  readonly seconds: number;
}

export class Journal {
  readonly facts: JournalFacts;
  readonly rows: Row[] = [];
  readonly marks: Mark[] = [];
  readonly undone: Row[] = [];
  /** The held-out loss before the first step. */
  startLoss: number | null = null;
  /** The held-out reward before it. */
  startReward: number | null = null;
  parts = 1;
  /** Spent on it, in all processes. */
  seconds = 0;

  constructor(facts: JournalFacts) {
    this.facts = facts;
  }

  /** Scores of what is held out as they came, the less the better, a reward turned round. */
  get scores(): number[] {
    const start = scoreOf(this.startLoss, this.startReward);
    return [start, ...this.rows.map(({ evalLoss, evalReward }) => scoreOf(evalLoss, evalReward))].filter(
      (one) => one !== null,
    );
  }

  /** Whether the last step has one. */
  get isScored(): boolean {
    const last = this.rows.at(-1);
    return last !== undefined && scoreOf(last.evalLoss, last.evalReward) !== null;
  }

  /** Takes the rows out that came after a step that the run goes back to. Marks stay. */
  backTo(step: number): void {
    const from = this.rows.findIndex((row) => row.step! > step);
    if (from >= 0) this.undone.push(...this.rows.splice(from));
  }

  mark(step: number, kind: Mark["kind"], text: string): void {
    this.marks.push({ step, kind, text });
  }

  table(): Table {
    const names = [...COLUMNS, ...this.facts.columns];
    return new Table(
      Object.fromEntries(
        names.map((name) => [
          name,
          vectorFromArray(
            this.rows.map((row) => row[name] ?? null),
            name === "step" ? new Int32() : new Float64(),
          ),
        ]),
      ),
    );
  }

  toJSON(): JournalData {
    const { facts, rows, marks, undone, startLoss, startReward, parts, seconds } = this;
    const lists = { rows: [...rows], marks: [...marks], undone: [...undone] };
    return { facts, ...lists, startLoss, startReward, parts, seconds };
  }

  /** Takes over what another process wrote down. */
  restore(data: JournalData): void {
    this.rows.splice(0, this.rows.length, ...data.rows);
    this.marks.splice(0, this.marks.length, ...data.marks);
    this.undone.splice(0, this.undone.length, ...data.undone);
    this.startLoss = data.startLoss;
    this.startReward = data.startReward ?? null;
    this.parts = data.parts;
    this.seconds = data.seconds;
  }
}

function scoreOf(loss: number | null, reward: number | null | undefined): number | null {
  return loss ?? (typeof reward === "number" ? -reward : null);
}
