// Completion and inspection from what the child last said of its names, for while a cell keeps it busy.
// Relies on plain facts. A remembered name stands for its value with an object that has the same members.

import { nameUnder } from "../language/cursor.ts";
import { complete, inspectAt, type Names } from "../language/language.ts";
import type { NameFacts } from "./link.ts";

export function remembered(facts: readonly NameFacts[]) {
  const byName = new Map(facts.map((fact) => [fact.name, fact]));
  const names: Names = {
    names: () => byName.keys(),
    value(name) {
      const fact = byName.get(name);
      return fact && { value: Object.fromEntries(fact.members.map((member) => [member, undefined])) };
    },
  };
  return {
    complete: (code: string, cursor: number) => complete(names, code, cursor),
    inspect(code: string, cursor: number) {
      const path = nameUnder(code, cursor);
      const fact = path.length === 1 ? byName.get(path[0]!) : undefined;
      if (fact) return { found: true, text: `${fact.name}: ${fact.type}\n${fact.text}` };
      return path.length && !byName.has(path[0]!)
        ? inspectAt(names, code, cursor)
        : { found: false, text: "" };
    },
  };
}
