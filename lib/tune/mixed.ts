// Several adapters in one batch: each sequence goes through its own, all through the same base. A row of a product is computed
// from that row alone, in an order that depends on no other, so every sequence's numbers are those of a run by itself, bit for bit.

import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import type { Precision, Weights } from "../model/network.ts";
import { describe } from "../options.ts";
import { cat } from "../tensor/join.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Adapter } from "./adapter.ts";

/** One for all, or one for each sequence; undefined: the base alone. */
export type AdapterChoice = Adapter | readonly (Adapter | undefined)[];

/**
 * What the network reads for sequences one after the other.
 * @param seed Of what is dropped out; without it nothing is
 * @param offsets Where each begins, and the count of tokens at the end
 * @throws LensorError for an adapter of another model, and for more or fewer than there are sequences
 */
export function weightsFor(
  call: string,
  model: Model,
  adapter: AdapterChoice | undefined,
  offsets: readonly number[],
  seed?: number,
): Weights {
  if (adapter === undefined) return model.weights();
  if (adapter instanceof Adapter) return adapter.weights(model, seed);
  const each = adaptersOf(call, adapter, offsets.length - 1);
  const weights = each.map((one) => one?.weights(model, seed) ?? model.weights());
  const groups: Group[] = [];
  each.forEach((one, i) => {
    const rows = offsets[i + 1]! - offsets[i]!;
    const last = groups.at(-1);
    if (last && i > 0 && each[i - 1] === one) last.rows += rows;
    else groups.push({ weights: weights[i]!, rows });
  });
  return groups.length === 1 ? groups[0]!.weights : new MixedWeights(groups);
}

/**
 * Runs `body` with the models that continue each of so many texts, all of one base.
 * @throws LensorError for an adapter of another model, and for more or fewer than there are texts
 */
export async function withModels<T>(
  call: string,
  model: Model,
  adapter: AdapterChoice | undefined,
  count: number,
  body: (models: readonly Model[]) => Promise<T>,
): Promise<T> {
  const list = Array.isArray(adapter) ? adaptersOf(call, adapter, count) : new Array(count).fill(adapter);
  const tuned = new Map<Adapter | undefined, Model>([
    [undefined, model],
    [model.adapter, model],
  ]);
  try {
    for (const one of list) if (!tuned.has(one)) tuned.set(one, one.modelOf(model));
    return await body(list.map((one) => tuned.get(one)!));
  } finally {
    for (const one of tuned.values()) if (one !== model) one.dispose();
  }
}

/** @throws LensorError where they are not one for each of `count` */
export function adaptersOf(call: string, given: unknown, count: number): readonly (Adapter | undefined)[] {
  const list = Array.isArray(given) ? given : undefined;
  if (list?.length === count && list.every((one) => one === undefined || one instanceof Adapter)) return list;
  throw new LensorError(`${call}: adapter is wrong`, {
    expected: `an adapter, or a list of one for each of the ${count} sequences (undefined: the base alone)`,
    got: list ? `a list of ${list.length}` : describe(given),
  });
}

interface Group {
  weights: Weights;
  /** One after the other. */
  rows: number;
}

class MixedWeights implements Weights {
  readonly #groups: readonly Group[];

  constructor(groups: readonly Group[]) {
    this.#groups = groups;
  }

  // No adapter stands beside these.
  get head() {
    return this.#groups[0]!.weights.head;
  }

  embed(ids: Tensor): Tensor {
    return this.#groups[0]!.weights.embed(ids);
  }

  vector(name: string): Tensor {
    return this.#groups[0]!.weights.vector(name);
  }

  // Nor beside experts, whose rows are in an order of their own.
  grouped(name: string, x: Tensor, offsets: Tensor, precision: Precision): Tensor {
    return this.#groups[0]!.weights.grouped(name, x, offsets, precision);
  }

  linear(name: string, x: Tensor, precision: Precision, addend?: Tensor): Tensor {
    const sizes = this.#groups.map(({ rows }) => rows);
    const [parts, addends] = [x.split(sizes), addend?.split(sizes)];
    return cat(
      this.#groups.map(({ weights }, i) => weights.linear(name, parts[i]!, precision, addends?.[i])),
    );
  }
}
