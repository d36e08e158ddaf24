// The order in which the reference tells of the library: one stage a folder of lib, each with a sentence. A folder that is not
// here is an error of the build, so that no stage is forgotten.

export interface Stage {
  /** The folder in lib, and the page's place. */
  readonly folder: string;
  readonly title: string;
  /** One sentence, as Markdown. */
  readonly about: string;
}

export const stages: readonly Stage[] = [
  {
    folder: "model",
    title: "Models",
    about:
      "Load a real model, or build one; run it, look into it with hooks, save it, and ask what it would cost.",
  },
  {
    folder: "text",
    title: "Text",
    about: "Tokenizers, chat templates, and a tokenizer that learns from texts.",
  },
  {
    folder: "tensor",
    title: "Tensors",
    about: "Grids of numbers with gradients: operations enqueue and return at once, reads await.",
  },
  {
    folder: "data",
    title: "Data",
    about:
      "Texts as lazy tables: read, clean, deduplicate, filter, redact, tokenize, and a report of what was dropped and why.",
  },
  {
    folder: "attention",
    title: "Looking inside",
    about:
      "What every head looks at, what each layer would say, and what breaks when a part is switched off.",
  },
  {
    folder: "decode",
    title: "Decoding",
    about: "Replies: how they are drawn, shown while they grow, and drawn together.",
  },
  {
    folder: "evaluate",
    title: "Evaluating",
    about:
      "Perplexity, closeness, tasks, speed and energy, and `compare`, which sets models side by side with intervals.",
  },
  {
    folder: "kv",
    title: "Key-value caches",
    about: "Caches as values: kept, forked, saved, and made up to fifty times smaller.",
  },
  {
    folder: "train",
    title: "Training",
    about: "Runs that show themselves, can be paused and resumed; optimizers and schedules.",
  },
  { folder: "tune", title: "Adapters", about: "A small file beside a model that learns in its place." },
  {
    folder: "align",
    title: "Aligning",
    about: "Better answers, from comparisons, labels or rewards, or from a larger teacher.",
  },
  {
    folder: "compress",
    title: "Making smaller",
    about: "What quantizing and pruning share: the contract of a method, and the report of what it cost.",
  },
  {
    folder: "quantize",
    title: "Quantizing",
    about: "Weights in 2 to 8 bits, by rounding, by error feedback, by scale, by rotation, or by recipe.",
  },
  {
    folder: "prune",
    title: "Pruning",
    about: "Weights, heads, neurons and layers that a model can do without.",
  },
  {
    folder: "moe",
    title: "Experts",
    about: "Several MLPs in the place of one, and a router that sends each token to a few of them.",
  },
  { folder: "merge", title: "Merging", about: "Several models of one shape as one, without training." },
  {
    folder: "plot",
    title: "Figures",
    about: "What results look like: live in a notebook, and as pictures that last.",
  },
  {
    folder: "input",
    title: "Inputs",
    about: "Sliders and their kin: real Jupyter widgets, whose value drives the cells that read it.",
  },
  { folder: "memory", title: "Memory", about: "Who holds how many bytes." },
  {
    folder: "profile",
    title: "Profiling",
    about: "Where the time goes, each operation under the machine's own roof.",
  },
  { folder: "calibrate", title: "Calibrating", about: "How methods that need texts walk through a model." },
  { folder: "", title: "Common", about: "What all stages share: errors, and what made a result." },
];

const folders = new Map(stages.map((stage) => [stage.folder, stage]));

/** @param file As TypeDoc names it: "lib/align/dpo.ts", or without "lib/" */
export function stageOf(file: string): Stage {
  const path = file.replace(/^(.*\/)?lib\//, "");
  // The entry point itself only puts `plot` together.
  const folder = path === "index.ts" ? "plot" : path.includes("/") ? path.split("/")[0]! : "";
  const stage = folders.get(folder);
  if (!stage)
    throw new Error(`kernel/cli/docs/stages.ts: lib/${folder} is no stage that it knows. Add a line for it.`);
  return stage;
}

/** A stage's page. */
export const pageOf = (stage: Stage): string => `reference/${stage.folder || "common"}/index.html`;
