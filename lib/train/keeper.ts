// What a run keeps of itself on the way: a snapshot every so many steps, to go back to when it goes wrong; the best by what is
// held out; and both as files where the run has a folder. When it keeps one depends on steps alone, so that a run that was
// killed and one that was not are the same.

import { LensorError } from "../errors.ts";
import { mismatch } from "./checkpoint.ts";
import type { RunFolder } from "./folder.ts";
import { outOfLine } from "./guard.ts";
import type { Journal } from "./journal.ts";
import {
  parametersOf,
  restore,
  restoreParameters,
  type Snapshot,
  type Subject,
  sizeOf,
  snapshot,
  type Values,
} from "./snapshot.ts";

/** In bytes: larger snapshots are kept in files alone. */
const IN_MEMORY = 256 << 20;

export interface KeeperOptions {
  readonly folder: RunFolder | undefined;
  /** In steps. */
  readonly saveEvery: number;
  /** After so many scores of what is held out without a better one the run ends, with the best. */
  readonly patience: number | undefined;
}

export class Keeper<Batch> {
  readonly #subject: Subject<Batch>;
  readonly #journal: Journal;
  readonly #options: KeeperOptions;
  /** The last snapshot's step, and it itself where it is small. */
  #last: { step: number; snapshot: Snapshot | undefined } | undefined;
  #best: readonly Values[] | undefined;
  #isOver = false;

  constructor(subject: Subject<Batch>, journal: Journal, options: KeeperOptions) {
    this.#subject = subject;
    this.#journal = journal;
    this.#options = options;
  }

  /** Goes on from the folder's newest whole checkpoint. Says whether there was one. */
  async resume(): Promise<boolean> {
    const { folder } = this.#options;
    if (!folder) return false;
    await folder.tidy();
    const { checkpoint, damaged } = await folder.latest();
    if (!checkpoint) return false;
    const wrong = mismatch(checkpoint.snapshot, this.#subject.optimizer.parameters);
    if (wrong !== undefined)
      throw new LensorError(`The checkpoints in ${folder.path} are of another run: ${wrong}`, {
        fix: "Name another folder, or remove this one to begin anew.",
      });
    await restore(this.#subject, checkpoint.snapshot);
    this.#journal.restore(checkpoint.journal);
    this.#look();
    this.#remember(checkpoint.snapshot);
    if (this.#options.patience !== undefined) this.#best = (await folder.best())?.snapshot.parameters;
    const before = damaged.length > 0 ? `; passed over: ${damaged.join("; ")}` : "";
    this.#journal.mark(checkpoint.snapshot.step, "resumed", `went on from its checkpoint${before}`);
    return true;
  }

  /** Before the first step. */
  async begin(): Promise<void> {
    if (this.#options.patience !== undefined) this.#best = await parametersOf(this.#subject.optimizer);
    const remembers = this.#subject.optimizer.parameters.reduce((sum, { bytes }) => sum + bytes, 0);
    // With what an optimizer remembers it will be about three times as much.
    if (3 * remembers <= IN_MEMORY) this.#remember(await snapshot(this.#subject));
    else this.#last = { step: 0, snapshot: undefined };
  }

  /** Why a checkpoint could not be written: what `step` and `end` threw. */
  get problem(): Error | undefined {
    return this.#options.folder?.problem;
  }

  /** Whether what is held out has got no better for too long. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** After a step that was taken. */
  async step(): Promise<void> {
    const { folder, saveEvery, patience } = this.#options;
    const { step } = this.#subject.learner;
    // A look through all rows, for those steps alone that have a score.
    const isBest = this.#journal.isScored && this.#look();
    const due = step - this.#last!.step >= saveEvery && outOfLine(this.#journal.rows) === 0;
    if (due || (isBest && folder)) await this.#save(isBest);
    if (isBest && patience !== undefined) this.#best = await parametersOf(this.#subject.optimizer);
    if (this.problem) throw this.problem;
  }

  /** Goes back to the last snapshot; the data goes on from where it is. Says to which step, or that there is none. */
  async back(): Promise<number | undefined> {
    const { folder } = this.#options;
    let to = this.#last?.snapshot;
    if (!to && folder) {
      await folder.settled();
      to = (await folder.latest()).checkpoint?.snapshot;
    }
    if (!to) return undefined;
    await restore(this.#subject, to, { data: false });
    this.#journal.backTo(to.step);
    this.#look();
    return to.step;
  }

  /** When the run is over: the last checkpoint, and the best parameters where they are the result. */
  async end(): Promise<void> {
    const { folder } = this.#options;
    if (folder && !folder.problem && this.#subject.learner.step > (this.#last?.step ?? 0))
      await this.#save(false);
    await folder?.settled();
    if (this.#best) restoreParameters(this.#subject.optimizer, this.#best);
    if (this.problem) throw this.problem;
  }

  /** How many scores ago the best was decides whether it is over. Says whether it is the last. */
  #look(): boolean {
    const { patience } = this.#options;
    const { scores, isScored } = this.#journal;
    const since = scores.length > 0 ? scores.length - 1 - scores.indexOf(Math.min(...scores)) : 0;
    this.#isOver = patience !== undefined && since >= patience;
    return since === 0 && isScored;
  }

  async #save(best: boolean): Promise<void> {
    const taken = await snapshot(this.#subject);
    this.#remember(taken);
    await this.#options.folder?.write({ snapshot: taken, journal: this.#journal.toJSON() }, { best });
  }

  #remember(taken: Snapshot): void {
    this.#last = { step: taken.step, snapshot: sizeOf(taken) <= IN_MEMORY ? taken : undefined };
  }
}
