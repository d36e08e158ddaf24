// `merge`: several models of one shape as one, without training. One verb a method; what they share is in verbs.ts.

import type { Mergeable } from "./input.ts";
import { linear, passthrough } from "./methods/linear.ts";
import { modelStock } from "./methods/model-stock.ts";
import { nuslerp, slerp } from "./methods/slerp.ts";
import * as task from "./methods/task.ts";
import type { Setting } from "./setting.ts";
import { sweep } from "./sweep.ts";
import { type MergeModelsOptions, verb } from "./verbs.ts";
import { fromYaml } from "./yaml.ts";

/** Of methods that weigh models. */
export interface WeightOptions extends MergeModelsOptions {
  /** Of every model that has none of its own. */
  weight?: Setting;
}

export interface LinearOptions extends WeightOptions {
  /** Divides by the sum of the weights; true by default. */
  normalize?: Setting;
}

export interface NuslerpOptions extends WeightOptions {
  /** Interpolates between what the two are off it. */
  base?: Mergeable;
  /** One angle for a whole tensor; else one for each of its rows. */
  flatten?: Setting;
  /** Without `flatten`: for each of its columns. */
  columnWise?: Setting;
}

export interface TaskOptions extends WeightOptions {
  /** What all were tuned from; of adapters of one model that model by default. */
  base?: Mergeable;
  /** Divides by the sum of the weights that count. */
  normalize?: Setting;
  /** What the sum of all counts; 1 by default. */
  lambda?: Setting;
}

export interface ThinningOptions extends TaskOptions {
  /** The share of each task vector that is kept; 1 by default. */
  density?: Setting;
  /** Brings what is kept to the size of the whole. */
  rescale?: Setting;
}

export interface BreadcrumbsOptions extends ThinningOptions {
  /** The share of the largest that goes; 0.01 by default. */
  gamma?: Setting;
}

export interface DellaOptions extends ThinningOptions {
  /** By how much the chance to stay differs from the density, for the smallest and the largest of a row; 0.15 by default. */
  epsilon?: Setting;
}

export interface ModelStockOptions extends MergeModelsOptions {
  base?: Mergeable;
  /** One angle for each row. */
  filterWise?: Setting;
}

export interface PassthroughOptions extends MergeModelsOptions {
  scale?: Setting;
}

const METHODS = [linear, slerp, nuslerp, ...Object.values(task), modelStock, passthrough];

type Thinning = "weight" | "density";

/**
 * Merges models of one shape: `merge.slerp(a, b, { t: 0.5 })`, `merge.ties([{ model: a, weight: 0.6 }, b], { base, density: 0.3 })`.
 * Models are in memory or paths; settings differ from layer to layer (`t: [0, 1]`) and tensor to tensor (`t: [{ filter: "mlp",
 * value: 0.7 }, { value: 0.3 }]`). Computes in f32. With `out` a file grows tensor by tensor and no more than one is held.
 * @throws LensorError for models of different shape or tokens, unknown options, and values out of range
 */
export const merge = {
  /**
   * What a file in mergekit's form asks for: `merge.yaml("merge.yml", { out })`, or its text. Models are looked for beside the
   * file first. Its dtype counts for what is written: all is computed in f32.
   */
  yaml: fromYaml(METHODS),
  linear: verb<"weight", LinearOptions>(linear),
  slerp: verb<never, MergeModelsOptions>(slerp),
  nuslerp: verb<"weight", NuslerpOptions>(nuslerp),
  taskArithmetic: verb<"weight", TaskOptions>(task.taskArithmetic),
  ties: verb<Thinning, ThinningOptions>(task.ties),
  dare: verb<Thinning, ThinningOptions>(task.dare),
  dareTies: verb<Thinning, ThinningOptions>(task.dareTies),
  della: verb<Thinning | "epsilon", DellaOptions>(task.della),
  dellaLinear: verb<Thinning | "epsilon", DellaOptions>(task.dellaLinear),
  breadcrumbs: verb<Thinning | "gamma", BreadcrumbsOptions>(task.breadcrumbs),
  breadcrumbsTies: verb<Thinning | "gamma", BreadcrumbsOptions>(task.breadcrumbsTies),
  modelStock: verb<never, ModelStockOptions>(modelStock),
  passthrough: verb<"scale", PassthroughOptions>(passthrough),
  /**
   * Tries settings and measures each on held-out text: `merge.sweep(merge.slerp, [a, b], { over: { t: [0, 0.5, 1] }, skills: { stories,
   * sums }, refine: 2 })`. `best.point` is what to merge with.
   */
  sweep,
};

export type { Mergeable } from "./input.ts";
export { MergedFile } from "./merged-file.ts";
export type { Rule, Setting } from "./setting.ts";
export type { MergeSweepOptions } from "./sweep.ts";
export { MergeSweep } from "./swept.ts";
export type { MergeModelsOptions, Merging, Weighted } from "./verbs.ts";
export type { YamlOptions } from "./yaml.ts";
