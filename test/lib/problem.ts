// What a person is told when something is refused.

import type { LensorError } from "../../lib/index.ts";

/** The message of what `body` throws. */
export function problem(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as LensorError).message;
  }
  return "no error";
}

/** The same of what is begun at once and refused later. */
export async function rejection(body: () => unknown): Promise<string> {
  try {
    await body();
  } catch (error) {
    return (error as LensorError).message;
  }
  return "no error";
}
