// What is learnt beside a frozen model, and the model that the two make together. Relies on the kinds (part.ts) for what
// stands beside each matrix; the packed pass gets the same through native code. Never changes the base.

import { createHash } from "node:crypto";
import type { Table } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { expectedTensors } from "../model/config.ts";
import { Model } from "../model/model.ts";
import type { Precision, Weights } from "../model/network.ts";
import { FrozenWeights, unpacked } from "../model/weights.ts";
import { type NativeAdapter, type NativeModel, native } from "../native.ts";
import type { Figure } from "../plot/figure.ts";
import { scope, untrack } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { adapterCard, adapterPlot, adapterTable } from "./look.ts";
import { checkSameShapes, type MergeOptions, replaced, undone } from "./merge.ts";
import type { Beside, Kind, Matrix, Part } from "./part.ts";
import { saveAdapter } from "./peft.ts";

/** A model with an adapter beside its base. */
export type Tuned = Model & { readonly adapter: Adapter };

/** What gives a model something to learn beside it: `lora()`, `ia3()`, or an adapter, from whose numbers its copy goes on. */
export interface Adapts {
  readonly name: string;
  readonly options: Kind["options"];
  /** `seed` is taken where none was given before. */
  on(model: Model, options?: { seed: number }): Adapter;
}

/** The adapters of one model. Give it to `model.loss(ids, { adapter })` and its parameters to an optimizer. */
export class Adapter implements Adapts {
  /** What it was made for, which stays as it is. */
  readonly base: Model;
  readonly kind: Kind;
  readonly seed: number;
  readonly #parts = new Map<string, Part>();

  /** @internal Use `lora(...).on(model)` and its like. */
  constructor(base: Model, kind: Kind, seed: number) {
    this.base = base;
    this.kind = kind;
    this.seed = seed;
    let drawn = 0;
    for (const [name, shape] of expectedTensors(base.config)) {
      if (!kind.adapts(name)) continue;
      const matrix = matrixOf(base, name, shape, base.weights());
      const { part } = scope(() => ({ part: kind.part(matrix, seed + drawn++) }));
      for (const [role, tensor] of Object.entries(part.parameters))
        untrack(tensor.named(`${name}.${role}`).requiresGrad());
      this.#parts.set(name, part);
    }
    if (this.#parts.size === 0)
      throw new LensorError(`${kind.name}: its targets fit nothing in ${base.name}`, {
        expected: `patterns of names such as "blk.0.attn_q", with blocks up to ${base.config.layers - 1}`,
      });
  }

  get name(): string {
    return this.kind.name;
  }

  get options(): Kind["options"] {
    return this.kind.options;
  }

  /** Another of the same numbers, which learns by itself. @throws LensorError for another model than its own */
  on(model: Model): Adapter {
    if (model !== this.base) throw this.#stranger(model);
    const made = new Adapter(this.base, this.kind, this.seed);
    const own = this.parameters();
    made.parameters().forEach((parameter, i) => {
      parameter.assign(own[i]!);
    });
    return made;
  }

  /** A hash of its numbers, and of what they mean. */
  async fingerprint(): Promise<string> {
    const hash = createHash("sha256").update(JSON.stringify([this.name, this.options]));
    for (const parameter of this.parameters()) {
      hash.update(parameter.name);
      hash.update((await parameter.data()) as Float32Array);
    }
    return hash.digest("hex");
  }

  /** The parameters of every adapted matrix, named after it: of LoRA A `[rank, in]` and B `[out, rank]`. */
  parameters(): Tensor[] {
    return [...this.#parts.values()].flatMap(({ parameters }) => Object.values(parameters));
  }

  /**
   * The base and this as a Model of its own, which does everything that a Model does. It shares the base's bytes, and follows
   * what is learnt here.
   */
  model(): Tuned {
    const { name, path, config, tokenizer, context, compute, tensors } = this.base;
    const made = new Model({
      ...{ path, config, tokenizer, context, compute, tensors },
      name: `${name} + ${this.kind.name}`,
      native: native().tunedModel(this.base.native()),
      adapter: this,
    });
    return made as Tuned;
  }

  /**
   * A Model with what was learnt inside its weights, which stands by itself. The adapted matrices are kept in floating
   * numbers, those of a quantized base too; the others share the base's bytes.
   */
  async merge(options?: MergeOptions): Promise<Model> {
    const tuned = this.model();
    const values = (name: string) => unpacked(tuned, name);
    const names = new Set<string>();
    for (let one: Adapter | undefined = this; one; one = one.base.adapter)
      for (const name of one.#parts.keys()) names.add(name);
    return replaced("adapter.merge", this.base, [...names], values, `${this.base.name}, merged`, options);
  }

  /**
   * A Model without what was learnt here, out of one that it was merged into: W = W' / gain - scale B A. Near the base, to
   * what floating numbers can hold.
   */
  async unmerge(model: Model, options?: MergeOptions): Promise<Model> {
    checkSameShapes("adapter.unmerge", model, this.base);
    const values = (name: string) => undone(model, name, this.#parts.get(name)!.beside(this.#matrix(name)));
    return replaced("adapter.unmerge", model, [...this.#parts.keys()], values, this.base.name, options);
  }

  /** Writes it in PEFT's format: a folder of adapter_config.json and adapter_model.safetensors. */
  save(folder: string): Promise<void> {
    return saveAdapter(this, folder);
  }

  /** @internal What stands beside each matrix, by its name in the file. */
  get parts(): ReadonlyMap<string, Part> {
    return this.#parts;
  }

  /** @internal The same, for a model that it must belong to. @throws LensorError for another model than its own */
  modelOf(base: Model): Tuned {
    if (base !== this.base) throw this.#stranger(base);
    return this.model();
  }

  /** @internal `seed`: of what is dropped out. @throws LensorError for another model than its own */
  weights(model: Model, seed?: number): Weights {
    if (model === this.base) return this.over(new FrozenWeights(model), seed);
    if (model.adapter === this) return model.weights();
    throw this.#stranger(model);
  }

  #stranger(model: Model): LensorError {
    return new LensorError("The adapter belongs to another model", {
      expected: `one made with ${this.kind.name}(...).on(${model.name})`,
      got: `one of ${this.base.name}`,
    });
  }

  /** @internal What the differentiable network reads, where the base's packed weights are these. */
  over(frozen: FrozenWeights, seed?: number): Weights {
    return new AdaptedWeights(this.base.adapter?.over(frozen) ?? frozen, this.base, this.#parts, seed);
  }

  /** @internal How often its numbers were changed, those of what it stands on included. */
  version(): number {
    const own = native().versions(this.parameters().map((one) => one.memory("version").handle));
    return own + (this.base.adapter?.version() ?? 0);
  }

  /** @internal Brings what was learnt to a tuned model's packed pass. */
  write(to: NativeModel): void {
    scope(() => {
      const lists = new Map<string, NativeAdapter[]>();
      this.#collect(lists);
      native().setAdapters(to, [...lists.keys()], [...lists.values()]);
    });
  }

  /** What stands beside each matrix, the nearest to it first. */
  #collect(lists: Map<string, NativeAdapter[]>): void {
    const under = this.base.adapter;
    if (under) under.#collect(lists);
    for (const [name, part] of this.#parts)
      lists.set(name, [...(lists.get(name) ?? []), handlesOf(part.beside(this.#matrix(name)))]);
  }

  #matrix(name: string): Matrix {
    return matrixOf(this.base, name, expectedTensors(this.base.config).get(name)!, this.base.weights());
  }

  /** How far it moves each matrix of the base: layers across, matrices down. */
  plot(): Figure {
    return adapterPlot(this);
  }

  /** One row a matrix: name, shape, rank, parameters, change (|W' - W| / |W|, Frobenius). */
  table(): Promise<Table> {
    return adapterTable(this);
  }

  [Symbol.for("Jupyter.display")]() {
    return adapterCard(this);
  }
  /** What a list of variables says of it. */
  [Symbol.for("lensor.facts")]() {
    const parameters = this.parameters();
    return {
      type: `Adapter ${this.kind.name}`,
      bytes: parameters.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }
}

function handlesOf({ rank, scale, ...tensors }: Beside): NativeAdapter {
  const handle = (tensor: Tensor | undefined) => tensor?.memory("adapter").handle;
  const { down, up, gain, input } = tensors;
  return { rank, scale, down: handle(down), up: handle(up), gain: handle(gain), input: handle(input) };
}

function matrixOf(base: Model, name: string, [rows, columns]: readonly number[], below: Weights): Matrix {
  return {
    name,
    rows: rows!,
    columns: columns!,
    linear: (x, precision, addend) => below.linear(name, x, precision, addend),
    packed: below instanceof FrozenWeights ? below.packed(name) : undefined,
    values: () => unpacked(base, name),
  };
}

class AdaptedWeights implements Weights {
  readonly #below: Weights;
  readonly #base: Model;
  readonly #parts: ReadonlyMap<string, Part>;
  readonly #seed: number | undefined;
  #drawn = 0;

  constructor(below: Weights, base: Model, parts: ReadonlyMap<string, Part>, seed?: number) {
    this.#below = below;
    this.#base = base;
    this.#parts = parts;
    this.#seed = seed;
  }

  get head() {
    return this.#below.head;
  }

  embed(ids: Tensor): Tensor {
    return this.#below.embed(ids);
  }

  vector(name: string): Tensor {
    return this.#below.vector(name);
  }

  // No adapter stands beside experts.
  grouped(name: string, x: Tensor, offsets: Tensor, precision: Precision): Tensor {
    return this.#below.grouped(name, x, offsets, precision);
  }

  linear(name: string, x: Tensor, precision: Precision, addend?: Tensor): Tensor {
    const part = this.#parts.get(name);
    if (!part) return this.#below.linear(name, x, precision, addend);
    const shape = expectedTensors(this.#base.config).get(name)!;
    const matrix = matrixOf(this.#base, name, shape, this.#below);
    // One pass asks for each matrix in turn: the seeds of its draws follow each other.
    const seed = this.#seed === undefined ? undefined : (this.#seed + this.#drawn++) % 2 ** 53;
    return part.linear(matrix, x, precision, addend, seed);
  }
}
