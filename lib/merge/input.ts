// A model to be merged, in memory or in its file, as rows of f32: what was quantized is dequantized where it is read, what an
// adapter learnt is in it. Opened once for a merge; never changed.

import { LensorError } from "../errors.ts";
import { expectedTensors, type ModelConfig } from "../model/config.ts";
import { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { describe } from "../options.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { Adapter } from "../tune/adapter.ts";
import { FileInput } from "./file-input.ts";

/**
 * A model, an adapter (with the model that it stands beside), or what `hub.load` takes: a name, a folder, a file. "model+adapter"
 * is a model with an adapter in PEFT's format in it, as mergekit writes it.
 */
export type Mergeable = Model | Adapter | string;

export interface Input {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** Where its files lie. */
  readonly paths: readonly string[];
  /** Rows `[from, to)` of a tensor, f32 `[to - from, columns]`; the caller's own. */
  rows(name: string, from: number, to: number): Promise<Tensor>;
  /** Nobody asks for this tensor just now. */
  done(name: string): void;
  close(): Promise<void>;
}

export async function open(call: string, given: Mergeable): Promise<Input> {
  if (given instanceof Model) return new ModelInput(given);
  if (given instanceof Adapter) return new ModelInput(given.model());
  if (typeof given === "string") return FileInput.open(given);
  throw new LensorError(`${call} merges models`, {
    expected: "a model, an adapter, or the path or name of a model",
    got: describe(given),
  });
}

class ModelInput implements Input {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly paths: readonly string[];
  readonly #model: Model;
  readonly #whole = new Map<string, Tensor>();

  constructor(model: Model) {
    this.name = model.name;
    this.config = model.config;
    this.tokenizer = model.tokenizer;
    this.paths = model.path === undefined ? [] : [model.path];
    this.#model = model;
  }

  async rows(name: string, from: number, to: number): Promise<Tensor> {
    let whole = this.#whole.get(name);
    if (!whole) {
      const shape = expectedTensors(this.config).get(name)!;
      whole = scope(() => unpacked(this.#model, name).reshape(shape.length === 1 ? 1 : shape[0]!, -1));
      this.#whole.set(name, whole);
    }
    return whole.at([from, to]);
  }

  done(name: string): void {
    this.#whole.get(name)?.dispose();
    this.#whole.delete(name);
  }

  async close(): Promise<void> {
    for (const name of this.#whole.keys()) this.done(name);
  }
}

/** @throws LensorError for models whose tensors, or whose tokens, are not each other's */
export function checkAlike(call: string, inputs: readonly Input[], anyLayers: boolean): void {
  const [first, ...others] = inputs;
  const shapes = (config: ModelConfig) => [...expectedTensors(anyLayers ? { ...config, layers: 1 } : config)];
  const wanted = shapes(first!.config);
  for (const other of others) {
    const own = new Map(shapes(other.config));
    const differs = wanted.find(([name, shape]) => String(own.get(name)) !== String(shape));
    if (differs || own.size !== wanted.length) {
      const [name, shape] = differs ?? [
        [...own.keys()].find((one) => !wanted.some(([name]) => name === one))!,
        [],
      ];
      const got = own.get(name!);
      const said = (sizes: readonly number[] | undefined) =>
        sizes?.length ? `[${sizes.join(", ")}]` : "none";
      throw new LensorError(`${call}: ${other.name} and ${first!.name} have different shapes`, {
        expected: `${name} ${said(shape)}, as in ${first!.name}`,
        got: `${said(got)} in ${other.name}`,
        fix: "Merge models that were tuned from the same one.",
      });
    }
    const [a, b] = [first!.tokenizer, other.tokenizer];
    if (a === b) continue;
    const strange = a.parts.tokens.findIndex((token, id) => token !== b.parts.tokens[id]);
    if (strange >= 0)
      throw new LensorError(`${call}: ${other.name} and ${first!.name} have different tokens`, {
        expected: `${JSON.stringify(a.parts.tokens[strange])} as token ${strange}, as in ${first!.name}`,
        got: JSON.stringify(b.parts.tokens[strange] ?? null),
        fix: "Merge models of the same tokenizer: the same number means another word in the other.",
      });
  }
}
