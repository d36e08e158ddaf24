// From a checked plan to what a person gets: a model in memory, or a folder or file and what is in it. Opens every model once
// and closes it; what is written is whole or not there, and never stands where an input lies.

import { realpath } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { LensorError } from "../errors.ts";
import { type Stored, specOf, storedTensors } from "../model/build.ts";
import { Model } from "../model/model.ts";
import { writeFolder } from "../model/save.ts";
import { writeModel } from "../model/save-gguf.ts";
import { DTYPES, native, WEIGHT_TYPES } from "../native.ts";
import { showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { upload } from "../tensor/queue.ts";
import { checkAlike, type Input, type Mergeable, open } from "./input.ts";
import { MergedFile } from "./merged-file.ts";
import { checkPlan, type Plan } from "./plan.ts";
import { configOf, type MergedTensor, mergedTensors } from "./run.ts";

export interface Finish {
  readonly out?: string | undefined;
  readonly dtype: Stored;
  readonly seed: number;
  /** For provenance. */
  readonly options: Readonly<Record<string, unknown>>;
}

export async function finish(call: string, given: Plan<Mergeable>, how: Finish): Promise<Model | MergedFile> {
  if (how.out !== undefined) checkOut(call, how.out);
  const opened = new Map<Mergeable, Input>();
  try {
    const plan = await withInputs(call, given, opened);
    const inputs = [...opened.values()];
    checkAlike(call, plan.base ? [plan.base, ...inputs.filter((one) => one !== plan.base)] : inputs, true);
    checkPlan(call, plan);
    const name = `${inputs.map((one) => one.name).join(" + ")}, ${plan.method.name}`.slice(0, 200);
    const progress = showProgress(`Merging ${inputs.length} models`, 1, {
      amount: (done) => `${Math.round(100 * done)} %`,
      afterMs: 1500,
    });
    try {
      const made = await (how.out === undefined ? inMemory : onDisk)(plan, name, how, inputs, (share) =>
        progress.update(share),
      );
      progress.end(`Merged ${inputs.length} models`);
      return made;
    } catch (error) {
      progress.end("The merge failed");
      throw error;
    }
  } finally {
    for (const input of opened.values()) await input.close();
  }
}

async function withInputs(
  call: string,
  given: Plan<Mergeable>,
  opened: Map<Mergeable, Input>,
): Promise<Plan<Input>> {
  const inputOf = async (one: Mergeable) => {
    const known = opened.get(one) ?? (await open(call, one));
    opened.set(one, known);
    return known;
  };
  const base = given.base === undefined ? undefined : await inputOf(given.base);
  const slices = [];
  for (const slice of given.slices) {
    const sources = [];
    for (const source of slice.sources) {
      const model = await inputOf(source.model);
      // All of them, where a call names none.
      const layers = Number.isFinite(source.layers[1]) ? source.layers : ([0, model.config.layers] as const);
      sources.push({ ...source, model, layers });
    }
    slices.push({ ...slice, sources });
  }
  return { ...given, base, slices };
}

type Told = (share: number) => void;

async function inMemory(
  plan: Plan<Input>,
  name: string,
  { dtype, seed, options }: Finish,
  inputs: readonly Input[],
  told: Told,
): Promise<Model> {
  const config = configOf(plan, name);
  const { tokenizer } = inputs[0]!;
  const tensors = tensorsOf(plan, config, dtype, "f32", seed, told);
  const made = await native().newModel(specOf(config), DTYPES[dtype], config.tiedEmbeddings);
  try {
    for (const { name, type, data } of tensors) {
      const bytes = await data();
      const values = upload(bytes, [bytes.length], "u8", name);
      native().updateWeights(made, [name], [values.memory("update").handle], [WEIGHT_TYPES[type]]);
      values.dispose();
    }
    return new Model({
      ...{ name, path: undefined, config, tokenizer, context: config.context, compute: undefined },
      ...{ tensors: storedTensors(config, dtype), native: made },
      provenance: provenance(name, { ...options, dtype, models: inputs.map((one) => one.name) }, seed),
    });
  } catch (error) {
    native().releaseModel(made);
    throw error;
  }
}

async function onDisk(
  plan: Plan<Input>,
  name: string,
  { out, dtype, seed, options }: Finish,
  inputs: readonly Input[],
  told: Told,
): Promise<MergedFile> {
  const path = resolve(out!);
  await refuseInputs(path, inputs);
  const began = performance.now();
  const config = configOf(plan, name);
  const { tokenizer } = plan.base ?? inputs[0]!;
  const gguf = extname(path).toLowerCase() === ".gguf";
  // GGUF keeps gains in f32; a folder has one type, as transformers writes it.
  const tensors = tensorsOf(plan, config, dtype, gguf ? "f32" : dtype, seed, told);
  if (gguf) await writeModel(path, { config, tokenizer }, tensors);
  else await writeFolder(path, { config, tokenizer }, dtype, tensors);
  return new MergedFile(
    {
      ...{ path, name, config, method: plan.method.name, models: inputs.map((one) => one.name) },
      ...{
        tensors: tensors.map(({ data: _, ...facts }) => facts),
        seconds: (performance.now() - began) / 1000,
      },
    },
    provenance(name, { ...options, dtype, models: inputs.map((one) => one.name) }, seed),
  );
}

function tensorsOf(
  plan: Plan<Input>,
  config: ReturnType<typeof configOf>,
  dtype: Stored,
  gains: Stored,
  seed: number,
  told: Told,
): MergedTensor[] {
  let done = 0;
  return mergedTensors(plan, config, dtype, gains, seed, ({ shape }) => {
    told(done / config.parameters);
    done += shape.reduce((a, b) => a * b);
  });
}

function checkOut(call: string, out: string): void {
  const ending = typeof out === "string" ? extname(out.trim()).toLowerCase() : undefined;
  if (ending === undefined || out.trim() === "" || (ending !== ".gguf" && /^\.[a-z]+$/.test(ending)))
    throw new LensorError(`${call} writes a folder or a .gguf file`, {
      expected: `out: a path such as "models/merged" or "merged.gguf"`,
      got: JSON.stringify(out),
    });
}

/** What is read must not be written over. */
async function refuseInputs(path: string, inputs: readonly Input[]): Promise<void> {
  const real = (one: string) => realpath(one).catch(() => resolve(one));
  const target = await real(path);
  for (const input of inputs)
    for (const one of input.paths)
      if ((await real(one)) === target || (dirname(await real(one)) === target && !extname(target)))
        throw new LensorError(`merge: ${path} holds ${input.name}, which is merged`, {
          expected: "out: a path where no input lies",
        });
}
