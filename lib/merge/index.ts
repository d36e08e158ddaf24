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
  /** What all were tuned from. */
  base?: Mergeable;
  /** One angle for each row. */
  filterWise?: Setting;
}

export interface PassthroughOptions extends MergeModelsOptions {
  /** What the layer is multiplied by; 1 by default. */
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
  /**
   * The weighted mean ("model soups", Wortsman et al. 2022, arXiv 2203.05482): W = sum_i w_i W_i / sum_i w_i; without
   * `normalize` undivided.
   */
  linear: verb<"weight", LinearOptions>(linear),
  /**
   * Two models along the arc that their weights span (Shoemake 1985): W = sin((1-t) theta) / sin(theta) A + sin(t theta) /
   * sin(theta) B, theta the angle between the two tensors, each as one vector. `t` from 0, the first, to 1, the second.
   */
  slerp: verb<never, MergeModelsOptions>(slerp),
  /** The same by weights, t = w_2 / (w_1 + w_2), and where there is a base, between what the two are off it. */
  nuslerp: verb<"weight", NuslerpOptions>(nuslerp),
  /**
   * What models learnt beyond their base, added (Ilharco et al. 2023, arXiv 2212.04089): W = base + lambda sum_i w_i (W_i -
   * base).
   */
  taskArithmetic: verb<"weight", TaskOptions>(task.taskArithmetic),
  /**
   * Of each task vector the largest `density`, and of these the ones that agree in sign, averaged (Yadav et al. 2023, arXiv
   * 2306.01708).
   */
  ties: verb<Thinning, ThinningOptions>(task.ties),
  /** Of each task vector `density` at random, rescaled by 1 / density, and added (Yu et al. 2024, arXiv 2311.03099). */
  dare: verb<Thinning, ThinningOptions>(task.dare),
  /** The same, and of these the ones that agree in sign. */
  dareTies: verb<Thinning, ThinningOptions>(task.dareTies),
  /**
   * Of each task vector some at random, the larger of a row likelier to stay, and of these the ones that agree in sign (Deep
   * et al. 2024, arXiv 2406.11617).
   */
  della: verb<Thinning | "epsilon", DellaOptions>(task.della),
  /** The same without the agreement in sign. */
  dellaLinear: verb<Thinning | "epsilon", DellaOptions>(task.dellaLinear),
  /**
   * Of each task vector what is neither among the smallest nor the very largest (Davari and Belilovsky 2023, arXiv
   * 2312.06795).
   */
  breadcrumbs: verb<Thinning | "gamma", BreadcrumbsOptions>(task.breadcrumbs),
  /** The same, and of these the ones that agree in sign. */
  breadcrumbsTies: verb<Thinning | "gamma", BreadcrumbsOptions>(task.breadcrumbsTies),
  /**
   * From the base towards the mean of models that were tuned from it, the further the more these agree (Jang et al. 2024,
   * arXiv 2403.19522): W = t mean_i W_i + (1 - t) base, t = n c / (1 + (n - 1) c), c the mean cosine between two of the n
   * task vectors.
   */
  modelStock: verb<never, ModelStockOptions>(modelStock),
  /** Layers of one or several models, put together as they are: W = scale W_1. */
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
