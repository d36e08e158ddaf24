// What a request says, field by field: each has the type that the protocol gives it, or the request is refused by name.
// Relies on nothing. Never turns one type into another: an object that is asked for its text may answer with an error.

import type { Json } from "./wire.ts";

/** A request that cannot be understood. It is answered with this error, and nothing of it is done. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
}

/** `null` counts as absent: some clients write all fields. */
function field<T>(
  content: Json,
  name: string,
  is: (value: unknown) => value is T,
  expected: string,
  absent: T | undefined,
): T {
  const value = Object.hasOwn(content, name) ? content[name] : undefined;
  if (is(value)) return value;
  if ((value === undefined || value === null) && absent !== undefined) return absent;
  throw new BadRequest(`"${name}" should be ${expected}, and is ${describe(value)}.`);
}

/** @throws BadRequest, also where it is absent and nothing stands in for it */
export function text(content: Json, name: string, absent?: string): string {
  return field(content, name, (value) => typeof value === "string", "a string", absent);
}

export function flag(content: Json, name: string, absent: boolean): boolean {
  return field(content, name, (value) => typeof value === "boolean", "true or false", absent);
}

export function whole(content: Json, name: string, absent: number): number {
  return field(
    content,
    name,
    (value): value is number => Number.isSafeInteger(value),
    "a whole number",
    absent,
  );
}

/** Texts by name. */
export function texts(content: Json, name: string, most: number): Readonly<Record<string, string>> {
  const is = (value: unknown): value is Record<string, string> =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).length <= most &&
    Object.values(value).every((each) => typeof each === "string");
  return field(content, name, is, `an object of at most ${most} strings`, {});
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return JSON.stringify(value).slice(0, 100);
}
