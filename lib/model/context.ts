// How many tokens a model is let read: checked, and past what it was trained on said once. What is refused is ids.ts's.

import { checkNumber } from "../options.ts";
import { formatCount } from "../plot/format.ts";
import type { Model } from "./model.ts";
import type { RopeScaling } from "./rope-scaling.ts";

export function checkLength(call: string, context: number | undefined): void {
  if (context !== undefined) checkNumber(call, "context", context, { least: 1, most: 1 << 24, whole: true });
}

const told = new WeakSet<Model>();

/** Warns, once for a model, where it may read more than it was trained on. */
export function warnOfLength(model: Model, context: number, scaling: RopeScaling | undefined): void {
  const { name, context: trained } = model.config;
  if (context <= trained || told.has(model)) return;
  told.add(model);
  const how = scaling ? `, with RoPE scaled by "${scaling.ropeType}"` : "";
  console.warn(
    `${name} was trained on ${formatCount(trained)} tokens of context and may now read ${formatCount(context)}${how}; what it reads beyond them it reads less well.`,
  );
}
