// The cache as it is: the point that every other method of a sweep is set against.

import type { Method } from "../method.ts";
import { optionsOf } from "./selection.ts";

/** Keeps everything; its ratio is 1. */
export function full(given?: Record<string, never>): Method {
  optionsOf("full", given, {});
  const method: Method = {
    ...{ name: "full", ratio: 1, options: {} },
    at: () => method,
    plan: async () => ({}),
  };
  return method;
}
