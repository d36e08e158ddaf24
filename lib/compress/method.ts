// What a way to make a model smaller is, and what passes between it and the model: a method is given Work, a copy whose
// matrices it replaces one by one. It never sees the model that it was asked of. compress.ts starts the work and ends it.

import type { Calibration, Visit } from "../calibrate/walk.ts";
import type { Factors } from "../model/build.ts";
import type { ModelTensor } from "../model/config.ts";
import type { Model } from "../model/model.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { CompressionRow } from "./report.ts";

/** Made by `rtn()`, `gptq()` and their like for `model.quantize`, by `wanda()` and its like for `model.prune`. */
export interface Compression {
  /** The verb that it is for. */
  readonly verb: "quantize" | "prune";
  /** The exported constructor's name. */
  readonly name: string;
  /** What it was made with, for provenance. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Refuses a model before anything is done. */
  check?(call: string, matrices: readonly ModelTensor[], model: Model): void;
  /** What the work begins with, in place of a copy: a model that says the same in other numbers. */
  start?(model: Model): Promise<Model>;
  /** Replaces the model's matrices; or makes a model of other sizes, which is the result then. */
  apply(work: Work): Promise<Outcome | undefined> | Promise<void>;
}

/** A model of other sizes, and what its matrices lost. */
export interface Outcome {
  readonly model: Model;
  readonly rows: readonly CompressionRow[];
}

/** What a method says of a matrix beyond what is measured: its own parameters, and what it found. */
export type Notes = Readonly<Record<string, number | string>>;

/**
 * What a method of making smaller is given: a copy whose matrices it replaces one by one. It never sees the model that it
 * was asked of.
 */
export interface Work {
  /** As errors name it: "model.quantize". */
  readonly call: string;
  /** A copy that nobody else has. */
  readonly model: Model;
  /** What is to be made smaller: the linear layers of the blocks, and with `head` what makes logits. */
  readonly matrices: readonly ModelTensor[];
  readonly signal: AbortSignal | undefined;
  /** Whether there are texts to calibrate on. */
  readonly calibrated: boolean;
  /** Block by block through the texts (calibrate/walk.ts). @throws LensorError where no texts were given */
  calibrate(visit: Visit): Promise<Calibration>;
  /** Told after each matrix, for the progress line of a method that does not calibrate; throws where the work was stopped. */
  progress(done: number): void;
  /**
   * Another matrix in a tensor's place, and its row in the report. What is lost is measured against the matrix that stood
   * there until now.
   * @param stored Rows of `type` as u8, values of that type, or factors. Freed by the caller
   * @param about.hessian Of its input (`InputMoments.hessian`), for the error of its output
   */
  replace(
    tensor: Pick<ModelTensor, "name" | "type">,
    stored: Tensor | Factors,
    about?: { hessian?: Tensor; notes?: Notes },
  ): Promise<void>;
}
