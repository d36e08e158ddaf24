// Carries a plan out: tensor after tensor, each in stretches of rows whose reading, computing and collecting overlap. Holds the
// merged tensor in its own type, and of the inputs a stretch. Writes to where it is told, or makes a model in memory.

import { LensorError } from "../errors.ts";
import { stopIfInterrupted } from "../host.ts";
import { parametersOf } from "../model/architecture.ts";
import { type Stored, storedTensors } from "../model/build.ts";
import type { ModelConfig, ModelTensor } from "../model/config.ts";
import { native } from "../native.ts";
import { nativeOf } from "../tensor/queue.ts";
import type { Input } from "./input.ts";
import type { Group, Part } from "./method.ts";
import { type Plan, type Step, settingOf, stepsOf } from "./plan.ts";

/** Numbers of a tensor that are in floats at once, of each model: what caches hold. */
const STRETCH = 1 << 19;

export interface MergedTensor extends ModelTensor {
  readonly type: "F32" | "F16" | "BF16";
  /** Merges it now: row-major, little-endian, in its type. Whole until the next tensor is asked for, which may take its memory. */
  readonly data: () => Promise<Uint8Array>;
}

/** What the merged model is: the base's config, or the first model's, with as many layers as the slices have. */
export function configOf(plan: Plan<Input>, name: string): ModelConfig {
  const { config } = plan.base ?? plan.slices[0]!.sources[0]!.model;
  const layers = plan.slices.reduce((sum, { sources: [one] }) => sum + one!.layers[1] - one!.layers[0], 0);
  const made = { ...config, name, layers };
  return { ...made, parameters: parametersOf(made) };
}

/** Its tensors in their order, each merged when it is asked for. @param gains Type of what has one axis */
export function mergedTensors(
  plan: Plan<Input>,
  config: ModelConfig,
  dtype: Stored,
  gains: Stored,
  seed: number,
  told: (step: Step) => void,
): MergedTensor[] {
  const stored = new Map(storedTensors(config, dtype).map((tensor) => [tensor.name, tensor]));
  let room = new Uint8Array(0);
  return stepsOf(plan, config).map((step) => {
    const { name, shape } = step;
    const type = shape.length === 1 ? gains : dtype;
    const count = shape.reduce((a, b) => a * b);
    const data = async () => {
      stopIfInterrupted();
      told(step);
      if (room.length < bytes) room = new Uint8Array(bytes);
      const out = room.subarray(0, bytes);
      await merged(plan, step, type, seed, config.headWidth, out);
      return out;
    };
    const bytes = count * (type === "f32" ? 4 : 2);
    return { ...stored.get(name)!, type: TYPE_OF[type], bytes, data };
  });
}

const TYPE_OF = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

async function merged(
  plan: Plan<Input>,
  step: Step,
  dtype: Stored,
  seed: number,
  headWidth: number,
  out: Uint8Array,
): Promise<void> {
  const { sources } = step;
  const group = groupOf(plan, step, seed, headWidth);
  const stride = out.length / group.rows;
  try {
    const make = await plan.method.merge(group);
    let before: Promise<void> | undefined;
    for (const [from, to] of group.stretches) {
      const rows = await make(from, to);
      const own = rows.cast(dtype);
      rows.dispose();
      const { buffer, view } = nativeOf(own);
      const read = native()
        .read(buffer, view)
        .then((bytes) => out.set(new Uint8Array(bytes), from * stride))
        .finally(() => own.dispose());
      // A failure is thrown when its turn comes, below or after the last.
      read.catch(() => {});
      await before;
      before = read;
    }
    await before;
  } finally {
    for (const { source, name } of sources) source.model.done(name);
    plan.base?.done(step.name);
  }
}

function groupOf(plan: Plan<Input>, step: Step, seed: number, headWidth: number): Group {
  const { method } = plan;
  const [rows, columns] = step.shape.length === 1 ? [1, step.shape[0]!] : (step.shape as [number, number]);
  // Whole heads, whose rows some files have in another order.
  const height = headWidth * Math.max(1, Math.round(STRETCH / columns / headWidth));
  const stretches = Array.from({ length: Math.ceil(rows / height) }, (_, i): [number, number] => [
    i * height,
    Math.min(rows, (i + 1) * height),
  ]);
  const partOf = (own: Step["sources"][number], withValues: boolean): Part => ({
    values: withValues
      ? Object.fromEntries(
          method.parameters
            .filter((parameter) => parameter.of === "model")
            .map((parameter) => [parameter.name, settingOf(parameter, plan, step, own) as number]),
        )
      : {},
    rows: (from, to) => own.source.model.rows(own.name, from, to),
  });
  const isBase = (own: Step["sources"][number]) => method.base !== "none" && own.source.model === plan.base;
  const others = step.sources.filter((own) => !isBase(own));
  const base = step.sources.find(isBase) ?? basePart(plan, step);
  return {
    ...{ name: step.name, rows, columns, seed, stretches },
    base: method.base === "none" || !base ? undefined : partOf(base, false),
    parts: others.map((own) => partOf(own, true)),
    values: Object.fromEntries(
      method.parameters
        .filter((parameter) => parameter.of === "merge")
        .map((parameter) => [parameter.name, settingOf(parameter, plan, step)]),
    ),
  };
}

/** The base's own tensor, where it is none of a slice's sources. */
function basePart({ base, slices }: Plan<Input>, step: Step): Step["sources"][number] | undefined {
  if (!base) return undefined;
  if (slices.length > 1)
    throw new LensorError(`merge: ${base.name} is the base, but no slice says which of its layers`, {
      expected: "the base among the sources of each slice",
    });
  const layers = [0, base.config.layers] as const;
  return { source: { model: base, layers, settings: {} }, name: step.name };
}
