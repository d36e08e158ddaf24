// What a comparison found: one row a model, one column a measure. Holds numbers, no model.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { checkNames, describe } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { paretoFigure } from "../plot/pareto.ts";
import type { ParetoPoint } from "../plot/pareto-parts.ts";
import type { Provenance } from "../provenance.ts";
import type { Interval } from "./intervals.ts";
import type { Measure, Measured } from "./measure.ts";

/** What could not be measured, of whom, and why. */
export interface Failure {
  /** Of the model. */
  readonly name: string;
  /** That could not be taken. */
  readonly measure: string;
  /** Why. */
  readonly problem: string;
}

/** What was measured of one model. */
export interface ComparisonRow {
  /** Of the model, as `compare` was given it. */
  readonly name: string;
  /** What made the model, as JSON. */
  readonly provenance: string;
  /** By measure; undefined where there is no result. */
  readonly measured: ReadonlyMap<string, Measured | undefined>;
}

/**
 * What `compare` found: one row a model, one column a measure; a table and a plot of quality against cost. Numbers, no
 * model.
 */
export class Comparison {
  /** One a model. */
  readonly rows: readonly ComparisonRow[];
  /** In the order in which they were asked for. */
  readonly measures: readonly Measure[];
  /** The name of the one that others are held against. */
  readonly reference: string;
  /** What could not be measured, and why. */
  readonly failed: readonly Failure[];
  /** Whether it was ended before all was measured. */
  readonly stopped: boolean;
  /** What made it: models, measures, versions. */
  readonly provenance: Provenance;

  /** @internal Use `compare`. */
  constructor(parts: {
    rows: readonly ComparisonRow[];
    measures: readonly Measure[];
    reference: number;
    failed: readonly Failure[];
    stopped: boolean;
    provenance: Provenance;
  }) {
    this.rows = parts.rows;
    this.measures = parts.measures;
    this.reference = parts.rows[parts.reference]!.name;
    this.failed = parts.failed;
    this.stopped = parts.stopped;
    this.provenance = parts.provenance;
  }

  /** A number of one model. @throws LensorError where either is unknown; NaN where it was not measured */
  value(name: string, measure: string): number {
    const row = this.rows.find((one) => one.name === name);
    if (!row?.measured.has(measure))
      throw new LensorError(`The comparison has no ${measure} of ${name}`, {
        expected: `one of ${this.measures.map((one) => one.name).join(", ")} of ${this.rows.map((one) => one.name).join(", ")}`,
      });
    return row.measured.get(measure)?.value ?? Number.NaN;
  }

  /**
   * How far a model is from the reference in one measure, over the same texts or questions, with the 95 % interval: a ratio of
   * perplexities, a difference of shares. Undefined where the measure cannot tell.
   */
  toReference(name: string, measure: string): Interval | undefined {
    this.value(name, measure);
    const { paired } = this.measures.find((one) => one.name === measure)!;
    const [own, base] = [name, this.reference].map((one) => this.#measured(one, measure));
    return own && base && paired?.(own, base);
  }

  /**
   * Quality upwards against cost across, with the front of those that no other betters in both. Where more was measured, a menu
   * in the figure changes the axes.
   * @param options Names of measures, to begin with
   */
  plot(options: { x?: string; y?: string } = {}): Figure {
    checkNames("comparison.plot", options, ["x", "y"]);
    for (const name of [options.x, options.y])
      if (name !== undefined && !this.measures.some((one) => one.name === name))
        throw new LensorError("comparison.plot: there is no such measure", {
          expected: this.measures.map((one) => one.name).join(", "),
          got: describe(name),
        });
    return new Figure(() =>
      paretoFigure({
        points: this.rows.map((row) => this.#point(row)),
        reference: this.reference,
        measures: this.measures,
        ...options,
        note: [
          this.stopped && "ended early",
          this.failed.length > 0 && `${this.failed.length} of the measurements failed: see failed`,
        ]
          .filter(Boolean)
          .join("; "),
      }),
    );
  }

  /**
   * One row a model: name, provenance, and each measure with its 95 % interval (perplexity, perplexityLow, perplexityHigh), how
   * far it is from the reference where that can be told (perplexityToReference, ...Low, ...High), and what a measure adds.
   */
  table(): Table {
    const columns: Record<string, Float64Array | string[]> = {
      name: this.rows.map((row) => row.name),
      provenance: this.rows.map((row) => row.provenance),
    };
    const add = (name: string, intervals: readonly (Interval | undefined)[]) => {
      for (const [part, key] of [
        ["", "value"],
        ["Low", "low"],
        ["High", "high"],
      ] as const)
        columns[`${name}${part}`] = Float64Array.from(intervals, (one) => one?.[key] ?? Number.NaN);
    };
    for (const { name, paired } of this.measures) {
      const all = this.rows.map(({ measured }) => measured.get(name));
      if (name === "bytes") columns.bytes = Float64Array.from(all, (one) => one?.value ?? Number.NaN);
      else add(name, all);
      if (paired)
        add(
          `${name}ToReference`,
          this.rows.map((row) => this.toReference(row.name, name)),
        );
      const more = all.find((one) => one?.more)?.more ?? {};
      for (const [key, value] of Object.entries(more))
        columns[key] =
          typeof value === "string"
            ? all.map((one) => String(one?.more?.[key] ?? ""))
            : Float64Array.from(all, (one) => Number(one?.more?.[key] ?? Number.NaN));
    }
    return tableFromArrays(columns);
  }

  #measured(name: string, measure: string): Measured | undefined {
    return this.rows.find((row) => row.name === name)!.measured.get(measure);
  }

  /**
   * Where a model stands in the figure: with the interval of its difference to the reference where there is one. The reference
   * itself then has none: how its own number varies with the text is no part of a comparison on one text.
   */
  #point({ name, measured }: ComparisonRow): ParetoPoint {
    const none = { low: Number.NaN, high: Number.NaN };
    const places = this.measures.map(({ name: measure, paired, beside }) => {
      const own = measured.get(measure);
      if (!own || !paired || !beside) return [measure, own] as const;
      if (name === this.reference) return [measure, { ...own, ...none }] as const;
      const apart = this.toReference(name, measure);
      const base = this.#measured(this.reference, measure)?.value;
      if (!apart || base === undefined) return [measure, own] as const;
      return [measure, { ...own, low: beside(base, apart.low), high: beside(base, apart.high) }] as const;
    });
    return { name, places: new Map(places) };
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
