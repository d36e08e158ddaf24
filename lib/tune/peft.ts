// Adapters in PEFT's format, both ways: a folder of adapter_config.json and adapter_model.safetensors, whose names are
// transformers'. Folders come from strangers: what would change results and is not understood is refused by name, and every
// tensor must fit its matrix. Rows of queries and keys stand as in transformers (a head's two halves), in lensor too.

import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LensorError } from "../errors.ts";
import { expectedTensors } from "../model/config.ts";
import type { Model } from "../model/model.ts";
import {
  floatsOf,
  readSafetensors,
  readTensors,
  type SafePart,
  writeSafetensors,
} from "../model/safetensors.ts";
import { upload } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Adapter } from "./adapter.ts";
import { dora } from "./dora.ts";
import { gains, readsInput } from "./ia3.ts";
import { lowRank } from "./lora.ts";
import type { Beside, Matrix, Part } from "./part.ts";
import {
  dropoutOf,
  isInput,
  kindOf,
  numberOf,
  patternOf,
  readSettings,
  SETTINGS,
  type Settings,
  settingsOf,
  theirName,
} from "./peft-settings.ts";
import { LINEAR, type Linear } from "./targets.ts";

const TENSORS = "adapter_model.safetensors";

/** The model that an adapter stands beside, as far as it has to be known. */
type Owner = Pick<Model, "name" | "config">;

/** Roles of parameters, as PEFT ends their names. */
const ROLES = {
  ...{ lora_a: "lora_A.weight", lora_b: "lora_B.weight", magnitude: "lora_magnitude_vector", ia3_l: "ia3_l" },
} as const;
type Role = keyof typeof ROLES;

/** @throws LensorError for a folder that holds none, one of a kind that lensor does not know, or one of another model */
export async function loadAdapter(model: Model, folder: string): Promise<Adapter> {
  const config = await readSettings(join(folder, SETTINGS));
  const kind = kindOf(config, folder);
  const parts = partsOf(model, folder, config, await readParts(model, folder, config));
  return new Adapter(
    model,
    {
      name: kind,
      options: {
        ...(kind === "lora" && {
          rank: numberOf(config, "r"),
          alpha: numberOf(config, "lora_alpha"),
          dropout: dropoutOf(config),
          rslora: config.use_rslora === true,
          dora: config.use_dora === true,
        }),
      },
      adapts: (name) => parts.has(name),
      part: (matrix) => parts.get(matrix.name)!(matrix),
    },
    0,
  );
}

/**
 * What an adapter puts beside each matrix of a model that is not in memory, by its name in the file; the tensors are the caller's.
 * @throws LensorError as `loadAdapter`, and for DoRA, which has to see the matrices
 */
export async function readBeside(owner: Owner, folder: string): Promise<Map<string, Beside>> {
  const config = await readSettings(join(folder, SETTINGS));
  kindOf(config, folder);
  if (config.use_dora === true)
    throw new LensorError(`${folder}: DoRA needs its model in memory`, {
      fix: "Load it: (await model.loadAdapter(folder)).model().",
    });
  const parts = partsOf(owner, folder, config, await readParts(owner, folder, config));
  // What is no DoRA looks at no matrix.
  const unseen = (name: string) => ({ name }) as Matrix;
  return new Map([...parts].map(([name, part]) => [name, part(unseen(name)).beside(unseen(name))]));
}

/** The tensors of each matrix by their roles. */
async function readParts(
  model: Owner,
  folder: string,
  config: Settings,
): Promise<Map<string, Partial<Record<Role, Tensor>>>> {
  const path = join(folder, TENSORS);
  const shapes = expectedTensors(model.config);
  const file = await readSafetensors(path);
  const found = new Map<string, Partial<Record<Role, Tensor>>>();
  const places = file.tensors.map((tensor) => {
    const place = placeOf(tensor.name);
    const matrix = place && shapes.get(place.name);
    if (!place || !matrix || !fits(tensor.shape, place.role, matrix))
      throw new LensorError(`${path} is an adapter for another model`, {
        expected: matrix
          ? `${tensor.name} beside a matrix [${matrix.join(", ")}] of ${model.name}`
          : `linear layers of the ${model.config.layers} blocks of ${model.name}`,
        got: `${tensor.name.slice(0, 200)} [${tensor.shape.join(", ")}]`,
        fix: `Load the model that it was made for${
          typeof config.base_model_name_or_path === "string"
            ? `, which it calls ${JSON.stringify(config.base_model_name_or_path.slice(0, 200))}`
            : ""
        }.`,
      });
    return place;
  });
  let i = 0;
  for await (const { tensor, data } of readTensors(file, file.tensors)) {
    const { name, role } = places[i++]!;
    const shape =
      role === "lora_a" || role === "lora_b" ? tensor.shape : [tensor.shape.reduce((a, b) => a * b)];
    const own = found.get(name) ?? {};
    own[role] = upload(floatsOf(tensor, data), shape, "f32", tensor.name);
    found.set(name, own);
  }
  return found;
}

/** "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight" as blk.3.attn_q.weight and lora_a. */
function placeOf(name: string): { name: string; role: Role } | undefined {
  const [, layer, path, end] =
    /^(?:base_model\.model\.)?model\.layers\.(\d{1,4})\.(\w+\.\w+)\.(.+)$/.exec(name) ?? [];
  const part = (Object.keys(LINEAR) as Linear[]).find((one) => LINEAR[one] === path);
  const role = (Object.keys(ROLES) as Role[]).find(
    (one) => end === ROLES[one] || end === `${ROLES[one]}.weight`,
  );
  return part && role ? { name: `blk.${Number(layer)}.${part}.weight`, role } : undefined;
}

function fits(shape: readonly number[], role: Role, [rows, columns]: readonly number[]): boolean {
  const count = shape.reduce((a, b) => a * b, 1);
  if (role === "lora_a")
    return shape.length === 2 && shape[1] === columns && shape[0]! >= 1 && shape[0]! <= 4096;
  if (role === "lora_b")
    return shape.length === 2 && shape[0] === rows && shape[1]! >= 1 && shape[1]! <= 4096;
  return role === "magnitude" ? count === rows : count === rows || count === columns;
}

/** What makes the part beside each matrix. */
function partsOf(
  model: Owner,
  folder: string,
  config: Settings,
  found: ReadonlyMap<string, Partial<Record<Role, Tensor>>>,
): Map<string, (matrix: Matrix) => Part> {
  const shapes = expectedTensors(model.config);
  const alphas = patternOf(config, "alpha_pattern", folder);
  const parts = new Map<string, (matrix: Matrix) => Part>();
  for (const [name, { lora_a: a, lora_b: b, magnitude, ia3_l: l }] of found) {
    const broken = (expected: string) =>
      new LensorError(`${folder}: what stands beside ${theirName(name)} is not whole`, {
        expected,
        fix: "The adapter is damaged: fetch it again.",
      });
    if (kindOf(config, folder) === "ia3") {
      const input = readsInput(name);
      if (!l || a || b) throw broken("ia3_l alone");
      if (l.shape[0] !== shapes.get(name)![input ? 1 : 0] || isInput(config, name) !== input)
        throw new LensorError(`${folder}: gains stand where lensor cannot apply them`, {
          expected: "down_proj among feedforward_modules, whose input is multiplied, and no other",
          got: `${theirName(name)}, ${isInput(config, name) ? "" : "not "}among them`,
        });
      parts.set(name, () => gains(l, input));
      continue;
    }
    if (!a || !b || l || a.shape[0] !== b.shape[1]) throw broken("lora_A and lora_B of one rank");
    if ((config.use_dora === true) !== (magnitude !== undefined))
      throw broken(magnitude ? "use_dora in the settings" : "lora_magnitude_vector, as use_dora says");
    const rank = a.shape[0]!;
    const alpha = alphas(theirName(name)) ?? numberOf(config, "lora_alpha");
    const scale = alpha / (config.use_rslora === true ? Math.sqrt(rank) : rank);
    parts.set(name, (matrix) => {
      const low = lowRank(a, b, scale, dropoutOf(config));
      return magnitude ? dora(low, matrix, magnitude) : low;
    });
  }
  return parts;
}

export async function saveAdapter(adapter: Adapter, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors: SafePart[] = [];
  for (const [name, { parameters }] of adapter.parts)
    for (const [role, tensor] of Object.entries(parameters))
      tensors.push({
        name: `base_model.model.${theirName(name)}.${ROLES[role as Role]}`,
        type: "F32",
        shape:
          role === "ia3_l" ? (readsInput(name) ? [1, ...tensor.shape] : [...tensor.shape, 1]) : tensor.shape,
        data: () => tensor.data() as Promise<Float32Array>,
      });
  await writeSafetensors(join(folder, TENSORS), tensors, { format: "pt" });
  const temporary = join(folder, `${SETTINGS}.${process.pid}.part`);
  try {
    await writeFile(temporary, `${JSON.stringify(settingsOf(adapter), null, 2)}\n`);
    await rename(temporary, join(folder, SETTINGS));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
