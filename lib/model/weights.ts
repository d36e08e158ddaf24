// A model's numbers for the differentiable network: its packed weights as they are (frozen, dequantized block by block
// where they are used), or parameters that learn.

import { biasName, ROUTER_BIAS } from "../moe/experts.ts";
import { Balancer } from "../moe/losses.ts";
import { DTYPES, type NativeModel, native, WEIGHT_TYPES } from "../native.ts";
import { groupedProduct } from "../tensor/nn/experts.ts";
import type { Head } from "../tensor/nn/loss.ts";
import { enqueue, nativeOf } from "../tensor/queue.ts";
import { scope, untrack } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";
import { put, type Stored } from "./build.ts";
import { expectedTensors, type ModelConfig, type WeightType } from "./config.ts";
import { type Precision, present, product, type Weights } from "./network.ts";

const EMBEDDING = "token_embd.weight";
const HEAD = "output.weight";

/** What a frozen network is made of. */
export interface Source {
  readonly config: ModelConfig;
  native(): NativeModel;
}

export class FrozenWeights implements Weights {
  readonly #model: Source;
  readonly #vectors = new Map<string, Tensor>();

  constructor(model: Source) {
    this.#model = model;
  }

  get head(): Head {
    const { tiedEmbeddings, vocabulary } = this.#model.config;
    return { model: this.#model.native(), name: tiedEmbeddings ? EMBEDDING : HEAD, classes: vocabulary };
  }

  embed(ids: Tensor): Tensor {
    const shape = [ids.shape[0]!, this.#model.config.width];
    return enqueue(
      "embedding",
      [],
      { name: "embedding", dtype: "f32", shape },
      [ids],
      this.packed(EMBEDDING),
    );
  }

  linear(name: string, x: Tensor, precision: Precision, addend?: Tensor): Tensor {
    const shape = [x.shape[0]!, shapeOf(this.#model.config, name)[0]!];
    const result = { name: "linear", dtype: addend?.dtype ?? precision, shape };
    return enqueue("linear", [DTYPES[precision], 0], result, [x, ...present(addend)], this.packed(name));
  }

  grouped(name: string, x: Tensor, offsets: Tensor, precision: Precision): Tensor {
    const [experts, columns] = shapeOf(this.#model.config, name) as [number, number];
    const result = { name: "grouped", dtype: precision, shape: [x.shape[0]!, columns] };
    const params = [DTYPES[precision], 0, experts];
    return enqueue("groupedFrozen", params, result, [x, offsets], this.packed(name));
  }

  vector(name: string): Tensor {
    const known = this.#vectors.get(name);
    if (known) return known;
    const made = unpacked(this.#model, name);
    untrack(made);
    this.#vectors.set(name, made);
    return made;
  }

  packed(name: string): readonly [NativeModel, string] {
    return [this.#model.native(), name];
  }
}

/** Every number of a model as a parameter in f32, by its name in the file. */
export class Parameters implements Weights {
  readonly named: ReadonlyMap<string, Tensor>;
  /** What no gradient moves: the bias of a router. */
  readonly kept: ReadonlyMap<string, Tensor>;
  /** What moves it. */
  readonly balancer: Balancer | undefined;
  readonly #model: Source;
  #written: number;

  constructor(model: Source) {
    this.#model = model;
    const all = [...expectedTensors(model.config).keys()].map((name): [string, Tensor] => {
      const parameter = unpacked(model, name).named(name);
      untrack(parameter);
      return [name, parameter];
    });
    this.kept = new Map(all.filter(([name]) => ROUTER_BIAS.test(name)));
    this.named = new Map(all.filter(([name]) => !this.kept.has(name)));
    for (const parameter of this.named.values()) parameter.requiresGrad();
    const { experts } = model.config;
    if (this.kept.size > 0) this.balancer = new Balancer(experts!, (layer) => this.#get(biasName(layer)));
    this.#written = this.#versions();
  }

  get head(): Head {
    return this.#get(this.#model.config.tiedEmbeddings ? EMBEDDING : HEAD);
  }

  embed(ids: Tensor): Tensor {
    return this.#get(EMBEDDING).indexSelect(0, ids);
  }

  linear(name: string, x: Tensor, precision: Precision, addend?: Tensor): Tensor {
    return product(x, this.#get(name), precision, addend);
  }

  grouped(name: string, x: Tensor, offsets: Tensor, precision: Precision): Tensor {
    return groupedProduct(x, this.#get(name), offsets, precision);
  }

  vector(name: string): Tensor {
    return this.#get(name);
  }

  /** Brings what was learnt, or all of it, to the packed weights, which inference reads. Whether there was anything. */
  write(model: NativeModel, all = false): boolean {
    const now = this.#versions();
    if (now === this.#written && !all) return false;
    const names = [...this.named.keys(), ...this.kept.keys()];
    native().updateWeights(
      model,
      names,
      names.map((name) => this.#get(name).memory("update").handle),
      names.map(() => WEIGHT_TYPES.F32),
    );
    this.#written = now;
    return true;
  }

  /** What was learnt becomes the model's weights, kept as `stored`; the parameters are freed. */
  settle(model: NativeModel, stored: Stored): void {
    for (const [name, parameter] of [...this.named, ...this.kept]) put(model, name, parameter, stored);
    this.dispose();
  }

  dispose(): void {
    for (const all of [this.named, this.kept]) for (const one of all.values()) one.dispose();
  }

  #get(name: string): Tensor {
    return (this.named.get(name) ?? this.kept.get(name))!;
  }

  #versions(): number {
    const all = [...this.named.values(), ...this.kept.values()];
    return native().versions(all.map((one) => one.memory("version").handle));
  }
}

function shapeOf(config: ModelConfig, name: string): readonly number[] {
  return expectedTensors(config).get(name)!;
}

/** A packed weight or vector as a tensor of its own, f32. */
export function unpacked(model: Source, name: string): Tensor {
  return Tensor.fromBuffer(
    native().unpackWeight(model.native(), name),
    shapeOf(model.config, name),
    "f32",
    name,
  );
}

/** A weight's numbers, what was learnt beside it inside them, in a type: row-major, little-endian. */
export async function weightBytes(model: Source, name: string, stored: Stored): Promise<Uint8Array> {
  const own = scope(() => unpacked(model, name).cast(stored));
  const { buffer, view } = nativeOf(own);
  try {
    return new Uint8Array(await native().read(buffer, view));
  } finally {
    own.dispose();
  }
}

/** A matrix as it is kept, u8: row after row in the blocks of its type; what is learnt beside it is not in it. */
export function storedRows(model: Source, name: string, type: WeightType): Tensor {
  const made = native().storedWeight(model.native(), name, WEIGHT_TYPES[type]);
  return Tensor.fromBuffer(made, [made.bytes], "u8", name);
}

/** The same as bytes. */
export async function storedBytes(model: Source, name: string, type: WeightType): Promise<Uint8Array> {
  const stored = storedRows(model, name, type);
  const { buffer, view } = nativeOf(stored);
  try {
    return new Uint8Array(await native().read(buffer, view));
  } finally {
    stored.dispose();
  }
}
