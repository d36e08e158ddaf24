// The settings beside an adapter's tensors, adapter_config.json of PEFT: what of them is understood, and what is written. What
// would change results and is not understood is refused by name. No pattern of a stranger is run.

import { open } from "node:fs/promises";
import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import type { Adapter } from "./adapter.ts";
import { readsInput } from "./ia3.ts";
import type { Part } from "./part.ts";
import { LINEAR, partOf } from "./targets.ts";

export const SETTINGS = "adapter_config.json";
const MOST_BYTES = 4 << 20;

export type Settings = Readonly<Record<string, unknown>>;

/** What would make other numbers of the same tensors; each is refused where it is anything but this. */
const PLAIN: Record<string, unknown[]> = {
  fan_in_fan_out: [false],
  bias: ["none"],
  lora_bias: [false],
  use_qalora: [false],
  use_bdlora: [null, false],
  modules_to_save: [null],
  layer_replication: [null],
  alora_invocation_tokens: [null],
  trainable_token_indices: [null],
  target_parameters: [null],
  kasa_config: [null],
  monteclora_config: [null],
  arrow_config: [null],
  init_lora_weights: [true, false, "gaussian", "orthogonal", "eva"],
};

export async function readSettings(path: string): Promise<Settings> {
  const file = await open(path, "r").catch((cause) => {
    throw new LensorError(`${path} cannot be read: ${cause.code ?? cause.message}`, {
      expected: `a folder with ${SETTINGS} and adapter_model.safetensors, as PEFT's save_pretrained and adapter.save write it`,
      cause,
    });
  });
  try {
    const { size } = await file.stat();
    if (size > MOST_BYTES)
      throw new LensorError(`${path} is too large`, { expected: `${MOST_BYTES} bytes`, got: String(size) });
    const config: unknown = JSON.parse(await file.readFile("utf8"));
    if (typeof config === "object" && config !== null && !Array.isArray(config)) return config as Settings;
    throw new LensorError(`${path} holds no settings`, { expected: "an object", got: describe(config) });
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new LensorError(`${path} is no JSON`, { fix: "The file is damaged: fetch it again.", cause });
  } finally {
    await file.close();
  }
}

/** @throws LensorError for a kind that lensor does not know, and for settings that it does not run */
export function kindOf(config: Settings, folder: string): "lora" | "ia3" {
  const kind = config.peft_type;
  if (kind !== "LORA" && kind !== "IA3")
    throw new LensorError(`${folder}: the adapter is of a kind that lensor does not know`, {
      expected: 'peft_type "LORA" or "IA3"',
      got: describe(kind),
    });
  for (const [name, plain] of Object.entries(PLAIN)) {
    const value = config[name];
    const empty = Array.isArray(value) && value.length === 0;
    if (value === undefined || empty || plain.includes(value)) continue;
    throw new LensorError(`${folder}: ${name} asks for something that lensor does not run`, {
      expected: plain.map((one) => JSON.stringify(one)).join(" or "),
      got: describe(value),
      fix: "Leaving it out would give other results: merge the adapter where it was made, and load the model.",
    });
  }
  return kind === "LORA" ? "lora" : "ia3";
}

export function numberOf(config: Settings, name: string): number {
  const value = config[name];
  if (typeof value === "number" && value > 0 && value < 1e9) return value;
  throw new LensorError(`${SETTINGS}: ${name} is wrong`, {
    expected: "a number above 0",
    got: describe(value),
    fix: "The file is damaged: fetch it again.",
  });
}

export function dropoutOf({ lora_dropout: rate = 0 }: Settings): number {
  if (typeof rate === "number" && rate >= 0 && rate < 1) return rate;
  throw new LensorError(`${SETTINGS}: lora_dropout is wrong`, {
    expected: "a number from 0 to below 1",
    got: describe(rate),
  });
}

/** Values for modules that differ; a key is the end of a module's path. Patterns of strangers are not run. */
export function patternOf(
  config: Settings,
  option: string,
  folder: string,
): (path: string) => number | undefined {
  const given = (config[option] ?? {}) as Record<string, unknown>;
  const entries = Object.keys(given).map((key): [string, number] => {
    const plain = key.replace(/^\^|\$$/g, "").replaceAll("\\.", ".");
    if (!/^[\w.]+$/.test(plain))
      throw new LensorError(`${folder}: ${option} has a pattern that lensor does not read`, {
        expected: 'the end of a path, such as "layers.3.self_attn.q_proj"',
        got: describe(key),
      });
    return [plain, numberOf(given, key)];
  });
  return (path) => entries.find(([end]) => path === end || path.endsWith(`.${end}`))?.[1];
}

/** Whether the input of a matrix is what IA3 multiplies. */
export function isInput(config: Settings, name: string): boolean {
  const listed = config.feedforward_modules;
  const theirs = theirName(name);
  return Array.isArray(listed) && listed.some((one) => theirs === one || theirs.endsWith(`.${one}`));
}

/** blk.3.attn_q.weight as transformers calls it. */
export function theirName(name: string): string {
  return `model.layers.${name.split(".")[1]}.${LINEAR[partOf(name)!]}`;
}

/** What PEFT needs to know of an adapter. */
export function settingsOf({ parts, base, options }: Adapter): Settings {
  const names = [...parts.keys()];
  const kinds = [...new Set(names.map((name) => partOf(name)!))];
  // A module's own name stands for all layers, where all have it.
  const everywhere = names.length === kinds.length * base.config.layers;
  const told = everywhere ? kinds.map((kind) => LINEAR[kind].split(".")[1]!) : names.map(theirName);
  const common = { task_type: "CAUSAL_LM", base_model_name_or_path: base.name, inference_mode: true };
  const low = [...parts].filter(([, part]) => part.scale !== undefined);
  if (low.length === 0) {
    const inputs = names.filter(readsInput);
    const feedForward = everywhere ? inputs.slice(0, 1).map(() => "down_proj") : inputs.map(theirName);
    return {
      peft_type: "IA3",
      ...common,
      target_modules: told,
      feedforward_modules: feedForward,
      fan_in_fan_out: false,
    };
  }
  const rankOf = ({ parameters }: Part) => parameters.lora_a!.shape[0]!;
  const [rank, alpha] = [rankOf(low[0]![1]), low[0]![1].scale! * rankOf(low[0]![1])];
  const others = (value: (part: Part) => number, usual: number) =>
    Object.fromEntries(
      low.filter(([, part]) => value(part) !== usual).map(([name, part]) => [theirName(name), value(part)]),
    );
  return {
    ...{ peft_type: "LORA", ...common, target_modules: told, r: rank, lora_alpha: alpha },
    rank_pattern: others(rankOf, rank),
    alpha_pattern: others((part) => part.scale! * rankOf(part), alpha),
    // The scale is alpha / rank here, whatever it was made as.
    ...{ use_rslora: false, use_dora: "magnitude" in low[0]![1].parameters },
    ...{
      lora_dropout: typeof options.dropout === "number" ? options.dropout : 0,
      bias: "none",
      fan_in_fan_out: false,
    },
  };
}
