// A cache that is learnt (Eyuboglu et al. 2025, arXiv 2506.06266, "Cartridges"): a few keys and values for each head, tuned by
// gradient so that the model, which does not change, predicts the text from them. A baseline: minutes where fitting takes
// seconds, and a short run of what the paper does for hours.

import { LensorError } from "../errors.ts";
import { lastHidden } from "../model/network.ts";
import { checkNames, checkNumber } from "../options.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { linearCrossEntropy } from "../tensor/nn/loss.ts";
import { upload } from "../tensor/queue.ts";
import { uniform } from "../tensor/random.ts";
import { scope, untrack } from "../tensor/scope.ts";
import { optim } from "../train/optim/index.ts";
import type { HeadPlan, Method, Plan, Room, Source } from "./method.ts";

export interface CartridgeOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** Of gradient descent, each on another stretch of the text. */
  steps?: number;
  /** Of the text in a step. */
  tokens?: number;
  /** The learning rate: 0.003. */
  lr?: number;
}

const DEFAULTS = { steps: 24, tokens: 192, lr: 0.003 };
/** Of the text's first keys, which attention falls back on, so many are kept, and of these so many stay as they are. */
const SINKS = 4;
const FROZEN = 1;

/** What is learnt of a layer, `[t, kvHeads, d]`; the first key and value stay. */
interface Learnt {
  readonly places: Int32Array;
  readonly fixed: { keys: Tensor; values: Tensor };
  readonly keys: Tensor;
  readonly values: Tensor;
}

/**
 * A cache that is learnt (Eyuboglu et al. 2025, arXiv 2506.06266): a few keys and values for each head, tuned by gradient so
 * that the model, which does not change, predicts the text from them. A baseline: minutes where fitting takes seconds.
 */
export function cartridge(options: CartridgeOptions = {}): Method {
  checkNames("cartridge", options, ["ratio", ...Object.keys(DEFAULTS)]);
  const { ratio, ...rest } = options;
  const { steps, tokens, lr } = { ...DEFAULTS, ...rest };
  if (ratio !== undefined) checkNumber("cartridge", "ratio", ratio, { least: 1 });
  checkNumber("cartridge", "steps", steps, { least: 0, whole: true });
  checkNumber("cartridge", "tokens", tokens, { least: 2, whole: true });
  checkNumber("cartridge", "lr", lr, { least: 0 });
  return {
    ...{ name: "cartridge", ratio, options: { steps, tokens, lr } },
    at: (ratio) => cartridge({ ratio, steps, tokens, lr }),
    plan: (source, room) => learn(source, room, { steps, tokens, lr }),
  };
}

async function learn(source: Source, room: Room, options: typeof DEFAULTS): Promise<Plan> {
  const { ids, layers, kvHeads, model } = source;
  const count = Math.floor(room.keys(false) / (layers * kvHeads));
  if (!ids || count < 1 + FROZEN)
    throw new LensorError(`cartridge: a ratio of ${room.ratio} leaves too little to learn`, {
      expected: ids ? `room for ${1 + FROZEN} keys a head` : "a cache whose text is known",
      got: `${count} keys a head`,
      fix: "Ask for a lower ratio.",
    });
  const learnt = await start(source, count);
  const parameters = learnt.flatMap(({ keys, values }) => [keys, values]);
  try {
    const optimizer = optim.adamw(parameters, { lr: options.lr, weightDecay: 0 });
    const length = Math.min(options.tokens, ids.length, model.context - source.length);
    const draws = uniform(options.steps, source.seed);
    for (let step = 0; step < options.steps && length > 1; step++) {
      const from = Math.floor(draws[step]! * (ids.length - length + 1));
      const loss = lossOf(source, learnt, ids.slice(from, from + length));
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      // Waits for the step: the queue shall not run ahead of the word that stops it.
      await loss.item();
      loss.dispose();
      source.progress((step + 1) / options.steps);
    }
    return { heads: learnt.map((layer) => plansOf(layer, kvHeads)) };
  } finally {
    for (const { fixed } of learnt) for (const one of [fixed.keys, fixed.values]) one.dispose();
    for (const one of parameters) one.dispose();
  }
}

/** Begins with the text's first keys and its last: what is learnt starts from a cache that works. */
async function start(source: Source, count: number): Promise<Learnt[]> {
  return Array.from({ length: source.layers }, (_, layer) => {
    const { keys, values, bias, counts } = source.layer(layer);
    const held = Math.min(...counts);
    const many = Math.min(count, held);
    const places = Int32Array.from({ length: many }, (_, i) => (i < SINKS ? i : held - many + i));
    const rows = (x: Tensor, from: number, to: number) =>
      scope(() =>
        x
          .indexSelect(1, [...places.subarray(from, to)])
          .permute(1, 0, 2)
          .contiguous(),
      );
    const made = {
      places,
      fixed: { keys: rows(keys, 0, FROZEN), values: rows(values, 0, FROZEN) },
      keys: rows(keys, FROZEN, many).requiresGrad(),
      values: rows(values, FROZEN, many).requiresGrad(),
    };
    for (const one of [made.keys, made.values, made.fixed.keys, made.fixed.values]) untrack(one);
    for (const one of [keys, values, bias]) one?.dispose();
    return made;
  });
}

/** Mean cross entropy of a stretch of the text, read after what is learnt. */
function lossOf({ model, length }: Source, learnt: readonly Learnt[], ids: readonly number[]): Tensor {
  return scope(() => {
    const past = {
      length,
      layer: (layer: number) => {
        const { fixed, keys, values } = learnt[layer]!;
        return { keys: tensor.cat([fixed.keys, keys]), values: tensor.cat([fixed.values, values]) };
      },
    };
    const weights = model.weights();
    const packed = { ids, offsets: [0, ids.length] };
    const rows = lastHidden(model.config, weights, packed, "bf16", { past });
    const next = BigInt64Array.from([...ids.slice(1), -100], BigInt);
    const targets = upload(next, [ids.length], "i64", "targets");
    return linearCrossEntropy(rows, weights.head, targets, { ignoreIndex: -100, precision: "bf16" });
  });
}

function plansOf({ places, fixed, keys, values }: Learnt, kvHeads: number): HeadPlan[] {
  return Array.from({ length: kvHeads }, (_, head) => {
    const rows = (first: Tensor, rest: Tensor) =>
      scope(() => tensor.cat([first, rest.detach()]).at(null, head).contiguous());
    return { keep: places, keys: rows(fixed.keys, keys), values: rows(fixed.values, values) };
  });
}
