// What a merge wrote: where it lies, what it is made of. Holds facts, no weights; `load` reads it.

import type { Table } from "apache-arrow";
import type { ModelConfig, ModelTensor } from "../model/config.ts";
import { hub, type LoadOptions } from "../model/hub.ts";
import { modelPlot, modelTable } from "../model/look.ts";
import type { Model } from "../model/model.ts";
import { card } from "../plot/card.ts";
import type { Figure } from "../plot/figure.ts";
import { formatBytes, formatDuration, formatParameters } from "../plot/format.ts";
import type { Provenance } from "../provenance.ts";

interface Facts {
  readonly path: string;
  readonly name: string;
  readonly config: ModelConfig;
  readonly method: string;
  readonly models: readonly string[];
  readonly tensors: readonly ModelTensor[];
  readonly seconds: number;
}

/** What a merge wrote with `out`: where it lies and what it is made of. Holds no weights; `load()` reads it. */
export class MergedFile {
  /** Of the folder or file. */
  readonly path: string;
  /** Of the model, as it was given or as its files are called. */
  readonly name: string;
  /** The sizes of the model. */
  readonly config: ModelConfig;
  /** By which it was merged. */
  readonly method: string;
  /** What was merged. */
  readonly models: readonly string[];
  /** As they are written: name, type, shape. */
  readonly tensors: readonly ModelTensor[];
  /** What merging and writing took. */
  readonly seconds: number;
  /** What made it: model, data, options, seed, versions. */
  readonly provenance: Provenance;

  /** @internal Use `merge.linear(a, b, { out })` and its like. */
  constructor(facts: Facts, provenance: Provenance) {
    this.path = facts.path;
    this.name = facts.name;
    this.config = facts.config;
    this.method = facts.method;
    this.models = facts.models;
    this.tensors = facts.tensors;
    this.seconds = facts.seconds;
    this.provenance = provenance;
  }

  /** Of all tensors, as they are written. */
  get bytes(): number {
    return this.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  load(options?: LoadOptions): Promise<Model> {
    return hub.load(this.path, options);
  }

  /** Where its bytes are. */
  plot(): Figure {
    return modelPlot(this);
  }

  /** One row a tensor: name, dtype, shape, parameters, bytes. */
  table(): Table {
    return modelTable(this);
  }

  [Symbol.for("Jupyter.display")]() {
    return card({
      title: this.name,
      facts: [
        ["parameters", formatParameters(this.config.parameters)],
        ["written", formatBytes(this.bytes)],
        ["in", formatDuration(this.seconds)],
        ["to", this.path],
      ],
      next: ["await merged.load()", "merged.plot()"],
    });
  }
}
