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

/** @throws LensorError where the file system refuses, as where there is no room */
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
  const rest = restOf(path, text);
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

/** What a checkpoint says of the run, without reading the tensors. @throws LensorError for a file that is damaged */
export async function readJournal(path: string): Promise<JournalData> {
  const text = (await readSafetensors(path)).metadata.get("lensor");
  if (text === undefined) throw damaged(path, "it is no checkpoint");
  return restOf(path, text).journal;
}

/** @throws LensorError where it is no JSON of this version, or not what a run writes */
function restOf(path: string, text: string): Rest {
  let rest: Rest;
  try {
    rest = JSON.parse(text) as Rest;
  } catch {
    throw damaged(path, "what it says is no JSON");
  }
  if (rest?.version !== VERSION) throw damaged(path, `it is of version ${rest?.version}, not ${VERSION}`);
  const { journal, remembered, step } = rest;
  const isCount = (x: unknown) => Number.isSafeInteger(x) && (x as number) >= 0;
  const lists = [journal?.rows, journal?.marks, journal?.undone, remembered];
  const rows = [...(journal?.rows ?? []), ...(journal?.undone ?? [])];
  const sound =
    isCount(step) &&
    lists.every(Array.isArray) &&
    remembered.every((count) => isCount(count) && count <= 16) &&
    rows.every((row) => isCount(row?.step) && typeof row.loss === "number") &&
    typeof journal.facts?.name === "string" &&
    Array.isArray(journal.facts.columns);
  if (!sound) throw damaged(path, "it says what no run writes");
  return rest;
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
