// Options as people type them: an unknown name, a value of the wrong kind or out of range is told at the call, with the
// option's name. Relies on errors.ts; knows no option by itself.

import { LensorError } from "./errors.ts";

/** Refuses names that `call` does not know: a misspelt option must not be ignored. */
export function checkNames(call: string, options: unknown, known: readonly string[]): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new LensorError(`${call} takes its options as an object`, {
      expected: `{ ${known.slice(0, 3).join(", ")}, ... }`,
      got: describe(options),
    });
  const stranger = Object.keys(options).find((name) => !known.includes(name));
  if (stranger !== undefined)
    throw new LensorError(`${call} has no option ${JSON.stringify(stranger.slice(0, 60))}`, {
      expected: known.join(", "),
    });
}

/** A number within bounds. `above`: the lower bound itself is refused. */
export function checkNumber(
  call: string,
  name: string,
  value: unknown,
  range: { least?: number; most?: number; whole?: boolean; above?: boolean },
): void {
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY, whole, above } = range;
  const fits =
    typeof value === "number" &&
    (above ? value > least : value >= least) &&
    value <= most &&
    (!whole || Number.isInteger(value));
  if (fits) return;
  const from = Number.isFinite(least) ? ` ${above ? "above" : "from"} ${least}` : "";
  const to = Number.isFinite(most) ? ` to ${most}` : from && !above ? " up" : "";
  throw new LensorError(`${call}: ${name} is wrong`, {
    expected: `a ${whole ? "whole " : ""}number${from}${to}`,
    got: describe(value),
  });
}

export function checkFlag(call: string, name: string, value: unknown): void {
  if (typeof value === "boolean") return;
  throw new LensorError(`${call}: ${name} is wrong`, { expected: "true or false", got: describe(value) });
}

export function checkChoice(call: string, name: string, value: unknown, choices: readonly string[]): void {
  if (choices.includes(value as string)) return;
  throw new LensorError(`${call}: ${name} is wrong`, {
    expected: choices.map((choice) => JSON.stringify(choice)).join(" or "),
    got: describe(value),
  });
}

/** A value in an error message, short whatever it is. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return `an object (${value.constructor?.name ?? "plain"})`;
  return String(value);
}
