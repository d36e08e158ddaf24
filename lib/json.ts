// JSON files from strangers: read whole, so of a bounded size, and looked into by names that may hold anything.

import { open } from "node:fs/promises";
import { LensorError } from "./errors.ts";
import { describe } from "./options.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object that a file of at most `most` bytes holds, or undefined where there is no such file. @throws LensorError */
export async function readJson(path: string, most: number): Promise<JsonObject | undefined> {
  const text = await readText(path, most);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new LensorError(`${path} is no JSON: ${(cause as Error).message.slice(0, 200)}`, {
      fix: "The file is damaged, or was cut short on the way: fetch it again.",
      cause,
    });
  }
  if (isObject(value)) return value;
  throw new LensorError(`${path} is wrong`, { expected: "an object", got: describe(value) });
}

/** The text of a file, or undefined where there is none. */
export async function readText(path: string, most: number): Promise<string | undefined> {
  const file = await open(path, "r").catch((cause) => {
    if (cause.code === "ENOENT") return undefined;
    throw new LensorError(`${path} cannot be read: ${cause.code}`, { cause });
  });
  if (!file) return undefined;
  try {
    const info = await file.stat();
    if (!info.isFile() || info.size > most)
      throw new LensorError(`${path} cannot be read`, {
        expected: `a file of at most ${most} bytes`,
        got: info.isFile() ? `${info.size}` : "no file",
      });
    return (await file.readFile()).toString("utf8");
  } finally {
    await file.close();
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
