// What a sweep over merges found: the loss on each skill of every merge and of its parents. Holds numbers, no model.

import { type Table, tableFromArrays } from "apache-arrow";
import { Figure } from "../plot/figure.ts";
import { mergeSweepFigure } from "../plot/merge-sweep.ts";
import type { Provenance } from "../provenance.ts";

export interface SweptParent {
  readonly name: string;
  /** Mean cross entropy of the next token on each skill's text, in nats. */
  readonly losses: Readonly<Record<string, number>>;
  /** Of the skills. */
  readonly mean: number;
}

export interface SweptMerge extends Omit<SweptParent, "name"> {
  /** The settings that were tried. */
  readonly point: Readonly<Record<string, number>>;
  /** To merge. */
  readonly seconds: number;
}

interface Parts {
  readonly rows: readonly SweptMerge[];
  readonly parents: readonly SweptParent[];
  readonly method: string;
  readonly axes: readonly string[];
  readonly stopped: boolean;
  readonly provenance: Provenance;
}

/**
 * What `merge.sweep` found: the loss on each skill, in nats a token, of every merge and of its parents. Numbers, no model.
 */
export class MergeSweep {
  /** One a merge: its settings, and the loss on each skill. */
  readonly rows: readonly SweptMerge[];
  /** The same of what was merged. */
  readonly parents: readonly SweptParent[];
  /** By which it was merged. */
  readonly method: string;
  /** Whether it was ended before all was tried. */
  readonly stopped: boolean;
  /** What made it: model, data, options, seed, versions. */
  readonly provenance: Provenance;
  readonly #axes: readonly string[];

  /** @internal Use `merge.sweep`. */
  constructor(parts: Parts) {
    const [axis] = parts.axes;
    this.rows =
      parts.axes.length > 1 ? parts.rows : [...parts.rows].sort((a, b) => a.point[axis!]! - b.point[axis!]!);
    this.parents = parts.parents;
    this.method = parts.method;
    this.stopped = parts.stopped;
    this.provenance = parts.provenance;
    this.#axes = parts.axes;
  }

  /** The merge of the lowest mean: its `point` is what to merge with, `merge.slerp(a, b, sweep.best.point)`. */
  get best(): SweptMerge {
    return this.rows.reduce((a, b) => (b.mean < a.mean ? b : a));
  }

  /** Loss on each skill against what was varied; of several, the skills against each other. */
  plot(): Figure {
    return new Figure(() =>
      mergeSweepFigure({
        ...{ rows: this.rows, best: this.best, parents: this.parents, method: this.method, axes: this.#axes },
      }),
    );
  }

  /** One row a model, the parents first: name, what was varied (NaN of a parent), the loss on each skill, mean, seconds. */
  table(): Table {
    const all = [
      ...this.parents.map((parent) => ({
        point: {} as Readonly<Record<string, number>>,
        seconds: Number.NaN,
        ...parent,
      })),
      ...this.rows.map((row) => ({ name: this.method, ...row })),
    ];
    const numbers = (pick: (one: (typeof all)[number]) => number | undefined) =>
      Float64Array.from(all, (one) => pick(one) ?? Number.NaN);
    return tableFromArrays({
      name: all.map(({ name }) => name),
      ...Object.fromEntries(this.#axes.map((axis) => [axis, numbers(({ point }) => point[axis])])),
      ...Object.fromEntries(
        Object.keys(this.rows[0]!.losses).map((skill) => [
          `loss: ${skill}`,
          numbers(({ losses }) => losses[skill]),
        ]),
      ),
      mean: numbers(({ mean }) => mean),
      seconds: numbers(({ seconds }) => seconds),
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
