// Snapshots as files: safetensors, whose metadata holds the rest as JSON and a hash of both. Written beside and renamed, so a
// file is whole or not there; what is damaged all the same is told by its hash. Files come from strangers: what is read
// must fit the run that reads it, in every shape.

import { createHash } from "node:crypto";
import { LensorError } from "../errors.ts";
import { readSafetensors, readTensors, type SafeType, writeSafetensors } from "../model/safetensors.ts";
import type { JournalData } from "./journal.ts";
import type { Json } from "./objective.ts";
import type { Snapshot, Values } from "./snapshot.ts";

const VERSION = 1;
const TYPES: Partial<Record<string, SafeType>> = { f32: "F32", u8: "U8" };

/** What a file holds beside the tensors. */
interface Rest {
  version: number;
  step: number;
  position: Json;
  objective: Json;
  /** How many tensors the optimizer remembers of each parameter. */
  remembered: number[];
  journal: JournalData;
}

export interface Checkpoint {
  readonly snapshot: Snapshot;
  readonly journal: JournalData;
}

/** @throws what the file system says, where there is no room */
export async function writeCheckpoint(path: string, { snapshot, journal }: Checkpoint): Promise<void> {
  const { step, position, objective, parameters, optimizer } = snapshot;
  const remembered = optimizer.map(({ length }) => length);
  const rest = JSON.stringify({
    version: VERSION,
    step,
    position,
    objective,
    remembered,
    journal,
  } satisfies Rest);
  const parts = [
    ...parameters.map((values, i) => partOf(`parameter.${i}`, values)),
    ...optimizer.flatMap((own, i) => own.map((values, k) => partOf(`optimizer.${i}.${k}`, values))),
  ];
  const hash = createHash("sha256").update(rest);
  for (const { data } of parts) hash.update(data);
  await writeSafetensors(path, parts, { lensor: rest, sha256: hash.digest("hex") });
}

/** @throws LensorError for a file that is damaged */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const file = await readSafetensors(path);
  const text = file.metadata.get("lensor");
  if (text === undefined) throw damaged(path, "it is no checkpoint");
  const hash = createHash("sha256").update(text);
  const found = new Map<string, Values>();
  for await (const { tensor, data } of readTensors(file, file.tensors)) {
    hash.update(data);
    const { name, type, shape } = tensor;
    const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.length) as ArrayBuffer;
    if (type === "F32") found.set(name, { dtype: "f32", shape, data: new Float32Array(bytes) });
    else if (type === "U8") found.set(name, { dtype: "u8", shape, data: new Uint8Array(bytes) });
    else throw damaged(path, `tensor ${name} is of a type that checkpoints have not`);
  }
  if (hash.digest("hex") !== file.metadata.get("sha256")) throw damaged(path, "its hash is not what it says");
  const rest = JSON.parse(text) as Rest;
  if (rest.version !== VERSION) throw damaged(path, `it is of version ${rest.version}, not ${VERSION}`);
  const get = (name: string) => {
    const values = found.get(name);
    if (!values) throw damaged(path, `${name} is missing`);
    return values;
  };
  const { step, position, objective, remembered, journal } = rest;
  const parameters = remembered.map((_, i) => get(`parameter.${i}`));
  const optimizer = remembered.map((count, i) =>
    Array.from({ length: count }, (_, k) => get(`optimizer.${i}.${k}`)),
  );
  return { snapshot: { step, position, objective, parameters, optimizer }, journal };
}

/** What of a checkpoint does not fit these parameters, in words. */
export function mismatch(
  { parameters }: Snapshot,
  wanted: readonly { name: string; shape: readonly number[] }[],
): string | undefined {
  if (parameters.length !== wanted.length)
    return `${parameters.length} parameters where ${wanted.length} learn`;
  const at = wanted.findIndex(({ shape }, i) => shape.join() !== parameters[i]!.shape.join());
  return at < 0 ? undefined : `${wanted[at]!.name} of another shape`;
}

function partOf(name: string, { dtype, shape, data }: Values) {
  return { name, type: TYPES[dtype]!, shape, data };
}

function damaged(path: string, why: string): LensorError {
  return new LensorError(`${path} is damaged: ${why}`, { expected: "a checkpoint of a run" });
}
