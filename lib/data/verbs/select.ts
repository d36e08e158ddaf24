// `select(...columns)`: these columns alone, in this order. `take(n)`: the first n rows, and no more is read than they need.

import { LensorError } from "../../errors.ts";
import { checkNumber, describe } from "../../options.ts";
import { noColumn } from "../chunk.ts";
import type { Step } from "../step.ts";

export function select(names: readonly string[]): Step {
  const stranger = names.find((name) => typeof name !== "string");
  if (stranger !== undefined || names.length === 0)
    throw new LensorError("select takes names of columns", {
      expected: `select("text", "id")`,
      got: names.length ? describe(stranger) : "none",
    });
  return {
    name: "select",
    options: { columns: names },
    columns(before) {
      for (const name of names) if (!before.includes(name)) throw noColumn(name, before, "select");
      return names;
    },
    async *run(input) {
      for await (const chunk of input) yield chunk.only(names, "select");
    },
  };
}

export function take(count: number): Step {
  checkNumber("take", "count", count, { least: 0, whole: true });
  return {
    name: "take",
    options: { count },
    async *run(input) {
      let left = count;
      if (left === 0) return;
      for await (const chunk of input) {
        const part = chunk.slice(0, left);
        left -= part.length;
        yield part;
        if (left === 0) return;
      }
    },
  };
}
