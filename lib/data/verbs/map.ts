// `map(change)`: each row replaced by another one. `derive({ name: of })`: columns added, or replaced.

import { LensorError } from "../../errors.ts";
import { checkNames, describe } from "../../options.ts";
import { Chunk, type Row } from "../chunk.ts";
import { calling } from "../pipeline.ts";
import type { Step } from "../step.ts";

export function map<R extends Row, S extends Row>(change: (row: R) => S | Promise<S>): Step {
  checkFunction("map", change);
  return {
    name: "map",
    options: { change: String(change) },
    opaque: true,
    columns: () => undefined,
    async *run(input) {
      let at = 0;
      for await (const chunk of input) {
        const rows: S[] = [];
        for (let i = 0; i < chunk.length; i++, at++) {
          const row = await calling("map", at, () => change(chunk.row(i) as R));
          if (typeof row !== "object" || row === null || Array.isArray(row))
            throw new LensorError(`map: your function gave no row for row ${at}`, {
              expected: `a record such as { text: "..." }`,
              got: describe(row),
            });
          rows.push(row);
        }
        yield Chunk.ofRows(rows);
      }
    },
  };
}

export type Derivations<R> = { readonly [name: string]: (row: R) => unknown };

export function derive<R extends Row>(columns: Derivations<R>): Step {
  checkNames("derive", columns ?? null, Object.keys(columns ?? {}));
  const each = Object.entries(columns);
  for (const [name, of] of each) checkFunction(`derive: ${name}`, of);
  return {
    name: "derive",
    options: Object.fromEntries(each.map(([name, of]) => [name, String(of)])),
    opaque: true,
    columns: (before) => [...new Set([...before, ...each.map(([name]) => name)])],
    async *run(input) {
      let at = 0;
      for await (const chunk of input) {
        const made = each.map(() => new Array<unknown>(chunk.length));
        for (let i = 0; i < chunk.length; i++, at++) {
          const row = chunk.row(i) as R;
          for (const [j, [name, of]] of each.entries())
            made[j]![i] = await calling(`derive: ${name}`, at, () => of(row));
        }
        yield each.reduce((all, [name], j) => all.with(name, made[j]!), chunk);
      }
    },
  };
}

export function checkFunction(call: string, given: unknown): void {
  if (typeof given === "function") return;
  throw new LensorError(`${call} takes a function of a row`, { got: describe(given) });
}
