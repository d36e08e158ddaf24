// What making a model smaller did, matrix by matrix: what each is kept as, and what that lost. Holds numbers, no model.

import { Table, vectorFromArray } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { Figure } from "../plot/figure.ts";
import { modelReport, type ReportView } from "../plot/model-report.ts";
import type { Provenance } from "../provenance.ts";

/** A matrix that was replaced. What its method says of it stands beside these. */
export interface CompressionRow {
  /** Its name in the file. */
  readonly tensor: string;
  readonly type: string;
  /** What a GGUF file keeps it as: where the format has no such blocks, the smallest that holds the same numbers. */
  readonly gguf?: string;
  readonly shape: readonly number[];
  /** A number of it, scales included: 8 bytes / count. */
  readonly bits: number;
  readonly bytes: number;
  /** ||W' - W|| / ||W||, Frobenius. */
  readonly error: number;
  /** tr(dW H dW^T), with H = 2/n sum x x^T of the calibration: twice the mean square of what the output is off. */
  readonly loss?: number;
  /** sqrt(tr(dW H dW^T) / tr(W H W^T)): how far the output is off, relatively. */
  readonly outputError?: number;
  readonly [note: string]: number | string | readonly number[] | undefined;
}

/** A report as plain data. */
export interface ModelReportFacts {
  readonly method: string;
  readonly model: string;
  /** Of all weights, in memory. */
  readonly bytesBefore: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly rows: readonly CompressionRow[];
}

/** What making a model smaller did, matrix by matrix: what each is kept as, and what that lost. Numbers, no model. */
export class ModelReport {
  readonly provenance: Provenance;
  readonly #facts: ModelReportFacts;

  /** @internal Use `model.report()`. */
  constructor(facts: ModelReportFacts, provenance: Provenance) {
    this.#facts = facts;
    this.provenance = provenance;
  }

  /** The method's name. */
  get method(): string {
    return this.#facts.method;
  }
  /** What it was made of. */
  get model(): string {
    return this.#facts.model;
  }
  get bytesBefore(): number {
    return this.#facts.bytesBefore;
  }
  get bytes(): number {
    return this.#facts.bytes;
  }
  get seconds(): number {
    return this.#facts.seconds;
  }
  /** One a matrix, in the order of the work. */
  get rows(): readonly CompressionRow[] {
    return this.#facts.rows;
  }

  /** As plain data. */
  toJSON(): ModelReportFacts {
    return this.#facts;
  }

  /**
   * Layers across, matrices down: how far each one's output is off on the texts, or without texts the matrix itself; or with
   * `show` its zeros, its rank or its bits.
   */
  plot({ show }: { show?: ReportView } = {}): Figure {
    const measured = this.rows.some(({ outputError }) => outputError !== undefined);
    const view = show ?? (measured ? "outputError" : "error");
    return new Figure(() => modelReport(this.#facts, view));
  }

  /** One row a matrix: tensor, type, gguf (its type in a GGUF file), shape, bits, bytes, error, where it was calibrated loss and outputError, and what the method adds. */
  table(): Table {
    const names = [...new Set(this.rows.flatMap((row) => Object.keys(row)))];
    const column = (name: string) =>
      this.rows.map(({ [name]: value }) => (Array.isArray(value) ? value.join(" × ") : (value ?? null)));
    return new Table(
      Object.fromEntries(names.map((name) => [name, vectorFromArray(column(name) as string[])])),
    );
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

/** @throws LensorError */
export function noReport({ name }: { name: string }): never {
  throw new LensorError(`There is no report of ${name}`, {
    expected: "a model that model.quantize or model.prune made",
    fix: "model.table() says what its tensors are kept as.",
  });
}
