// Merges written down as mergekit's users write them: a YAML file of models or slices, a method and its parameters. It comes from
// strangers: of a bounded size, without aliases that multiply, and every key is known or refused by its name.

import { access } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { parse } from "yaml";
import { LensorError } from "../errors.ts";
import { isObject, type JsonObject, readText } from "../json.ts";
import type { Stored } from "../model/build.ts";
import type { Model } from "../model/model.ts";
import { near } from "../near.ts";
import { checkNames, describe } from "../options.ts";
import { checkSeed, drawSeed } from "../tensor/random.ts";
import { finish } from "./finish.ts";
import type { Mergeable } from "./input.ts";
import type { MergedFile } from "./merged-file.ts";
import type { MergeMethod } from "./method.ts";
import { checkSettings, type Plan, type Settings, type Slice, type Source } from "./plan.ts";
import type { Setting } from "./setting.ts";
import type { MergeModelsOptions } from "./verbs.ts";

const CALL = "merge.yaml";
const LIMITS = { bytes: 1 << 20, aliases: 100, slices: 1024, sources: 64 };

const DTYPES: Record<string, Stored> = { float32: "f32", float16: "f16", bfloat16: "bf16" };

/** What mergekit knows and lensor does not, and what to do. */
const FOREIGN: Record<string, string> = {
  modules: "Write its models or slices at the top: lensor's models have one module.",
  tokenizer: "All models must have the same tokenizer: leave it out.",
  residual_weight: "Leave it out.",
};

export interface YamlOptions extends Pick<MergeModelsOptions, "dtype" | "out" | "seed"> {
  /** What the file calls a model, where it is not where the name leads. */
  models?: Readonly<Record<string, Mergeable>>;
}

export function fromYaml(methods: readonly MergeMethod[]): {
  (text: string, options: YamlOptions & { out: string }): Promise<MergedFile>;
  (text: string, options?: YamlOptions & { out?: undefined }): Promise<Model>;
} {
  const run = async (text: string, options: YamlOptions = {}) => {
    checkNames(CALL, options, ["dtype", "out", "seed", "models"]);
    const { out, seed = drawSeed(), models = {} } = options;
    checkSeed(seed, CALL);
    const { config, folder } = await read(text);
    const { plan, dtype } = planOf(methods, config);
    const placed = await place(plan, models, folder);
    const said = { method: plan.method.name, yaml: config };
    return finish(CALL, placed, { out, seed, dtype: options.dtype ?? dtype ?? "f16", options: said });
  };
  return run as ReturnType<typeof fromYaml>;
}

/** A text of several lines is the file's content; one of one line is where it lies. */
async function read(given: string): Promise<{ config: JsonObject; folder: string | undefined }> {
  if (typeof given !== "string")
    throw new LensorError(`${CALL} takes a text or a path`, { got: describe(given) });
  const isPath = /\.ya?ml$/i.test(given.trim()) && !given.trim().includes("\n");
  const text = isPath ? await readText(given, LIMITS.bytes) : given;
  if (text === undefined) throw new LensorError(`There is no file ${given}`, { expected: "a YAML file" });
  if (text.length > LIMITS.bytes)
    throw new LensorError(`${CALL}: the text is too long`, {
      expected: `at most ${LIMITS.bytes} characters`,
    });
  let config: unknown;
  try {
    config = parse(text, { maxAliasCount: LIMITS.aliases, prettyErrors: true });
  } catch (cause) {
    throw new LensorError(
      `${CALL}: this is no YAML: ${(cause as Error).message.split("\n")[0]!.slice(0, 200)}`,
      {
        cause,
      },
    );
  }
  if (!isObject(config))
    throw new LensorError(`${CALL}: the configuration is wrong`, {
      expected: "merge_method, and models or slices",
      got: describe(config),
    });
  return { config, folder: isPath ? dirname(given) : undefined };
}

/** @internal The plan that a configuration says, of models by their names. */
export function planOf(
  methods: readonly MergeMethod[],
  config: JsonObject,
): { plan: Plan<string>; dtype: Stored | undefined } {
  const known = ["merge_method", "base_model", "models", "slices", "parameters", "dtype", "out_dtype"];
  checkKeys("the configuration", config, [...known, "tokenizer_source", "chat_template"]);
  const method = methods.find(({ theirs }) => theirs === config.merge_method);
  if (!method) {
    const names = methods.map(({ theirs }) => theirs);
    const hint = near(String(config.merge_method), names);
    throw new LensorError(
      `${CALL}: merge_method is ${config.merge_method === undefined ? "missing" : "unknown"}`,
      {
        expected: names.join(", "),
        got: describe(config.merge_method),
        ...(hint && { fix: hint }),
      },
    );
  }
  if (!["base", "union", null, undefined].includes(config.tokenizer_source as string | null | undefined))
    throw new LensorError(`${CALL}: tokenizer_source is wrong`, {
      expected: `"base" or "union": all models have the same tokenizer here`,
      got: describe(config.tokenizer_source),
    });
  if (config.chat_template !== undefined && config.chat_template !== "auto")
    throw new LensorError(`${CALL}: chat_template is wrong`, {
      expected: `"auto"`,
      got: describe(config.chat_template),
    });
  if ((config.models === undefined) === (config.slices === undefined))
    throw new LensorError(`${CALL}: the configuration is wrong`, {
      expected: "models or slices",
      got: config.models === undefined ? "neither" : "both",
    });
  const slices = config.models === undefined ? slicesOf(method, config.slices) : [sliceOf(method, config)];
  const plan: Plan<string> = {
    ...{ method, slices, settings: settingsOf(method, config.parameters) },
    base: config.base_model == null ? undefined : modelOf("base_model", config.base_model),
  };
  // The base is merged with the others even where it is not among them, from the layers that all give.
  return { plan, dtype: dtypeOf("out_dtype", config) ?? dtypeOf("dtype", config) };
}

function slicesOf(method: MergeMethod, given: unknown): Slice<string>[] {
  return listOf("slices", given, LIMITS.slices).map((slice, i) => {
    checkKeys(`slice ${i + 1}`, slice, ["sources", "parameters"]);
    const sources = listOf(`slice ${i + 1}: sources`, slice.sources, LIMITS.sources).map(
      (source): Source<string> => {
        checkKeys("a source", source, ["model", "layer_range", "parameters"]);
        const range = source.layer_range;
        if (!Array.isArray(range) || range.length !== 2 || range.some((one) => !Number.isSafeInteger(one)))
          throw new LensorError(`${CALL}: layer_range is wrong`, {
            expected: "[from, to)",
            got: describe(range),
          });
        return {
          model: modelOf("model", source.model),
          layers: range as unknown as readonly [number, number],
          settings: settingsOf(method, source.parameters),
        };
      },
    );
    return { sources, settings: settingsOf(method, slice.parameters) };
  });
}

function sliceOf(method: MergeMethod, config: JsonObject): Slice<string> {
  const sources = listOf("models", config.models, LIMITS.sources).map((entry): Source<string> => {
    checkKeys("a model", entry, ["model", "parameters"]);
    return {
      model: modelOf("model", entry.model),
      layers: [0, Number.POSITIVE_INFINITY],
      settings: settingsOf(method, entry.parameters),
    };
  });
  return { sources, settings: {} };
}

/** "path", "path+adapter", or the same as an object. */
function modelOf(name: string, given: unknown): string {
  if (typeof given === "string" && given.trim() !== "") return given;
  if (isObject(given)) {
    checkKeys(name, given, ["model", "lora"]);
    const { model, lora } = given;
    const path = isObject(model) ? model.path : model;
    const adapter = isObject(lora) ? lora.path : lora;
    if (typeof path === "string") return typeof adapter === "string" ? `${path}+${adapter}` : path;
  }
  throw new LensorError(`${CALL}: ${name} is wrong`, {
    expected: `a model's path or name, "model+adapter" for one with an adapter in it`,
    got: describe(given),
  });
}

/** By lensor's names. */
function settingsOf(method: MergeMethod, given: unknown): Settings {
  if (given == null) return {};
  if (!isObject(given))
    throw new LensorError(`${CALL}: parameters is wrong`, {
      expected: "names and values",
      got: describe(given),
    });
  // Of what TIES keeps its masks in: says nothing about the result.
  const { int8_mask: _, ...rest } = given;
  // YAML's rules for what looks like a number leave 1e-3 a text in some writers' files.
  const numbers = JSON.parse(JSON.stringify(rest), (_, value) =>
    typeof value === "string" && /^[+-]?\d+(\.\d*)?e[+-]?\d+$/i.test(value) ? Number(value) : value,
  ) as Settings;
  checkSettings(CALL, method, numbers, true);
  const ours = (theirs: string) => method.parameters.find((one) => one.theirs === theirs)!.name;
  return Object.fromEntries(
    Object.entries(numbers).map(([name, setting]) => [ours(name), setting as Setting]),
  );
}

function dtypeOf(name: string, config: JsonObject): Stored | undefined {
  const given = config[name];
  if (given == null) return undefined;
  if (typeof given === "string" && Object.hasOwn(DTYPES, given)) return DTYPES[given];
  throw new LensorError(`${CALL}: ${name} is wrong`, {
    expected: Object.keys(DTYPES).join(", "),
    got: describe(given),
  });
}

function listOf(name: string, given: unknown, most: number): JsonObject[] {
  if (Array.isArray(given) && given.length > 0 && given.length <= most && given.every(isObject)) return given;
  throw new LensorError(`${CALL}: ${name} is wrong`, {
    expected: `a list of 1 to ${most}`,
    got: describe(given),
  });
}

function checkKeys(where: string, given: JsonObject, known: readonly string[]): void {
  const stranger = Object.keys(given).find((key) => !known.includes(key));
  if (stranger === undefined) return;
  const fix = Object.hasOwn(FOREIGN, stranger) ? FOREIGN[stranger] : near(stranger, known);
  throw new LensorError(
    `${CALL}: ${where} has a key ${JSON.stringify(stranger.slice(0, 60))} that is not known`,
    {
      expected: known.join(", "),
      ...(fix && { fix }),
    },
  );
}

/** Where each name leads: to a model that was given, beside the file, or to where hub.load looks. */
async function place(
  plan: Plan<string>,
  models: Readonly<Record<string, Mergeable>>,
  folder: string | undefined,
): Promise<Plan<Mergeable>> {
  const beside = async (name: string) => {
    if (folder === undefined || isAbsolute(name)) return name;
    const own = join(folder, name);
    return access(own).then(
      () => own,
      () => name,
    );
  };
  const found = new Map<string, Mergeable>();
  const at = async (name: string): Promise<Mergeable> => {
    const known = found.get(name);
    if (known !== undefined) return known;
    const [model, adapter] = name.split(/\+(?=[^+]*$)/);
    const led = Object.hasOwn(models, name)
      ? models[name]!
      : adapter === undefined
        ? await beside(name)
        : `${await beside(model!)}+${await beside(adapter)}`;
    found.set(name, led);
    return led;
  };
  const slices: Slice<Mergeable>[] = [];
  for (const { sources, settings } of plan.slices) {
    const own: Source<Mergeable>[] = [];
    for (const source of sources) own.push({ ...source, model: await at(source.model) });
    slices.push({ sources: own, settings });
  }
  return { ...plan, slices, base: plan.base === undefined ? undefined : await at(plan.base) };
}
