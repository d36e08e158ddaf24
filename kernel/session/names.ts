// The session's names as kernel/language sees them, and the facts the host keeps of them.
// Relies on live bindings. A name in its temporal dead zone has no value here.

import { measures, memberNames, previewText, typeName } from "../language/facts.ts";
import { complete as completeIn, type Inspection, inspectAt, type Names } from "../language/language.ts";
import { hideNotes } from "./bookkeeping.ts";
import { exportNames } from "./exports.ts";
import type { NameFacts } from "./link.ts";
import type { Modules } from "./modules.ts";
import type { Binding, Namespace } from "./namespace.ts";

const MAX_FACTS = 300;

function read(binding: Binding | undefined): { value: unknown } | undefined {
  try {
    const found = binding && { value: binding.get() };
    hideNotes(found?.value);
    return found;
  } catch {
    return undefined;
  }
}

function namesOf(namespace: Namespace, modules: Modules): Names {
  const all = namespace.all();
  return {
    names: () => all.keys(),
    value: (name) => read(all.get(name)),
    module: (specifier) => modules.loaded.get(specifier),
    exports: (specifier) => exportNames(specifier, modules.folder),
  };
}

export function complete(namespace: Namespace, modules: Modules, code: string, cursor: number): unknown {
  return completeIn(namesOf(namespace, modules), code, cursor);
}

export function inspect(namespace: Namespace, modules: Modules, code: string, cursor: number): Inspection {
  return inspectAt(namesOf(namespace, modules), code, cursor);
}

// Facts are gathered once a binding, when its cell has ended: a name that holds a million rows costs once, not at every cell.
const gathered = new WeakMap<Binding, NameFacts>();
let told: readonly NameFacts[] = [];

/** The facts of every name; undefined when nothing changed since they were last asked for. */
export function newFacts(namespace: Namespace): readonly NameFacts[] | undefined {
  const facts = [...namespace.defined()].slice(-MAX_FACTS).map(([name, { cell, binding }]) => {
    const known = gathered.get(binding) ?? factsOf(name, cell, read(binding));
    gathered.set(binding, known);
    return known;
  });
  const same = facts.length === told.length && facts.every((fact, i) => fact === told[i]);
  told = facts;
  return same ? undefined : facts;
}

/** `%who`: the notebook's names, as a table of text. */
export function tableOf(namespace: Namespace): string {
  const rows = [...namespace.defined()].map(([name, { cell, binding }]) => {
    const { type, text, bytes } = factsOf(name, cell, read(binding));
    return [
      name,
      type,
      bytes === undefined ? "" : `${bytes} bytes`,
      (text.split("\n")[0] ?? "").slice(0, 60),
    ];
  });
  if (!rows.length) return "No cell has defined a name yet.\n";
  const table = [["name", "type", "memory", "value"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map(
      (row) =>
        `${row
          .map((text, i) => text.padEnd(widths[i] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function factsOf(name: string, cell: string, found: { value: unknown } | undefined): NameFacts {
  if (!found) return { name, cell, type: "", text: "", members: [] };
  const { value } = found;
  return {
    name,
    cell,
    type: typeName(value),
    text: previewText(value, 200),
    members: memberNames(value).slice(0, 100),
    ...measures(value),
  };
}
