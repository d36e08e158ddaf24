// What a run makes smaller: the contract between the training loop and a method (next tokens, DPO, a distance to a teacher).
// The loop knows of batches, gradients and steps; an objective knows its loss. One method a file, each a record of this shape.

import type { Tensor } from "../tensor/tensor.ts";
import type { Learner } from "./learner.ts";

/** Plain data, as checkpoints keep it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * What a run makes smaller: the contract between the training loop and a method (next tokens, DPO, a distance to a teacher).
 * The loop knows of batches, gradients and steps; an objective knows its loss.
 */
export interface Objective<Batch> {
  /** The constructor's exported name. */
  readonly name: string;
  /** What it was made with, as plain data: part of provenance, and of what a checkpoint must agree with. */
  readonly options: { readonly [name: string]: Json };
  /** What each row of the history gains: names of the numbers in `notes`. */
  readonly columns: readonly string[];
  /** Of the columns, those that are worth a panel of their own on the plot, with the words above it. */
  readonly panels?: Readonly<Record<string, string>>;
  /** Learns beside the learner's own parameters: a value head, a reward head. */
  readonly parameters?: readonly Tensor[];
  /** Its loss says little from one step to the next (reinforcement): a rise is no sign that the run goes wrong. */
  readonly noisy?: boolean;
  /** Before the first step, when nothing is learnt yet: reference log-probabilities, say. Its work counts as the run's. */
  prepare?(learner: Learner): Promise<void>;
  /** How much a batch counts among those of one step, when gradients are accumulated: what its mean is over. 1 by default. */
  weight?(batch: Batch): number;
  /** The batch in at most so many parts of about as many rows, where it can be cut. */
  split?(batch: Batch, parts: number): readonly Batch[];
  /**
   * The loss of a batch, a scalar with a gradient, and what is to be noted of it. Called inside a scope; also without
   * recording, for batches that are held out. Notes that are tensors are scalars.
   */
  loss(learner: Learner, batch: Batch): { loss: Tensor; notes?: Readonly<Record<string, number | Tensor>> };
  /**
   * What the learner is worth on what is held out, where that is told by no loss of batches (reinforcement draws replies and has
   * them judged): the column `evalReward`, the higher the better.
   */
  score?(learner: Learner): Promise<number>;
  /** What it changes as it goes (an adaptive coefficient), for checkpoints. */
  readonly state?: { get(): Json; set(state: Json): void };
}

/**
 * Where batches come from: an async iterator that can be set to any of its places. A batch is asked for when the step before
 * it has been taken, so an iterator may make it with the model as it is then (replies, in reinforcement).
 */
export interface Batches<Batch> {
  next(): Promise<IteratorResult<Batch, undefined>>;
  /** From where the next batch comes, as plain data. */
  readonly position: Json;
  /** Goes on from a position that it had, or that an equal iterator had in another process. */
  seek(position: Json): void | Promise<void>;
  /** Of the data and all that shapes batches: a checkpoint of other data is refused. */
  readonly fingerprint?: string;
  /** Frees what it holds (files, threads). */
  return?(): Promise<unknown>;
}
