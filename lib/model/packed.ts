// Quantized matrices in a folder, as they are kept: each a tensor of U8 [rows, bytes of a row] under its own name, and in config.json
//   "quantization_config": { "quant_method": "lensor", "types": { "model.layers.0.mlp.up_proj.weight": "I3G64", ... } }
// A row is what native/quant/grouped.h says, or GGUF's blocks. Types come from strangers and are checked here.

import { LensorError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import { describe } from "../options.ts";
import { groupedOf, rowBytes } from "../quantize/grouped.ts";
import type { WeightType } from "./config.ts";
import { GGUF_TYPES } from "./gguf.ts";

const METHOD = "lensor";
const FLOATS: readonly string[] = ["F32", "F16", "BF16"];

/** @param types By the names of the file's tensors */
export function packedConfig(types: ReadonlyMap<string, WeightType>): JsonObject {
  return { quant_method: METHOD, types: Object.fromEntries(types) };
}

/** Whether its rows are blocks or groups. */
export function isPackedType(type: string): type is WeightType {
  return groupedOf(type) !== undefined || (Object.hasOwn(GGUF_TYPES, type) && !FLOATS.includes(type));
}

/** What the packed tensors of a folder are; none where it has no others. @throws LensorError for a type that is none */
export function packedTypes(
  path: string,
  { quantization_config: given }: JsonObject,
): Map<string, WeightType> {
  if (!isOurs(given)) return new Map();
  const entries = isObject(given.types) ? Object.entries(given.types) : [];
  for (const [name, type] of entries)
    if (typeof type !== "string" || !isPackedType(type))
      throw new LensorError(`${path}: quantization_config has a type that lensor does not read`, {
        expected: "a type of blocks or groups, such as I4G64 or Q4_0",
        got: `${describe(type)} for ${name.slice(0, 200)}`,
      });
  return new Map(entries as [string, WeightType][]);
}

/** The config as it would be without them. */
export function withoutPacked(json: JsonObject): JsonObject {
  return isOurs(json.quantization_config) ? { ...json, quantization_config: undefined } : json;
}

/** The shape that a packed matrix has in the file; undefined where its columns are no whole blocks. */
export function packedShape(type: WeightType, [rows, columns]: readonly number[]): number[] | undefined {
  const bytes = columns === undefined ? Number.NaN : rowBytes(type, columns);
  return Number.isInteger(bytes) ? [rows!, bytes] : undefined;
}

function isOurs(given: unknown): given is JsonObject {
  return isObject(given) && given.quant_method === METHOD;
}
