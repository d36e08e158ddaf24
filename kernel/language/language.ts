// Completion and inspection from run-time facts: what names hold, not what their types promise.
// Relies on a source of names, the session's own or the host's memory of it. Never runs the person's code.

import { builtinModules, createRequire } from "node:module";
import { atCursor, nameUnder } from "./cursor.ts";
import { memberNames, peek, previewText, typeName } from "./facts.ts";

/** Where names are looked up. */
export interface Names {
  names(): Iterable<string>;
  /** The value of a name, when it has one that can be read without running code. */
  value(name: string): { value: unknown } | undefined;
  /** A module's namespace, when it is there without importing it. */
  module?(specifier: string): object | undefined;
  /** A module's export names, from its text. */
  exports?(specifier: string): string[];
}

export interface Completion {
  readonly matches: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly types: readonly string[];
}

const KEYWORDS =
  "abstract as async await break case catch class const continue debugger declare default delete do else enum export extends false finally for from function get if implements import in instanceof interface keyof let namespace new null of private protected public readonly return satisfies set static super switch this throw true try type typeof undefined using var void while yield".split(
    " ",
  );

export function complete(names: Names, code: string, cursor: number): Completion {
  const at = atCursor(code, cursor);
  if (!at) return { matches: [], start: cursor, end: cursor, types: [] };
  const found = new Map<string, string>();
  const add = (name: string, type: string): void => {
    if (name.startsWith(at.prefix) && !found.has(name)) found.set(name, type);
  };
  if (at.module) {
    const module = names.module?.(at.module) ?? builtin(at.module);
    const exported = module ? memberNames(module) : (names.exports?.(at.module) ?? []);
    for (const name of exported) if (name !== "default") add(name, kindOf(module, name));
  } else if (at.chain.length) {
    const target = follow(names, at.chain);
    if (target) for (const name of memberNames(target.value)) add(name, kindOf(target.value, name));
  } else {
    for (const name of names.names()) add(name, kind(names.value(name)));
    for (const name of Object.getOwnPropertyNames(globalThis)) add(name, kindOf(globalThis, name));
    if (at.prefix) for (const word of KEYWORDS) add(word, "keyword");
  }
  const matches = [...found.keys()].sort(at.chain.length ? ownFirst : plainFirst);
  return { matches, start: at.start, end: at.end, types: matches.map((name) => found.get(name)!) };
}

export interface Inspection {
  readonly found: boolean;
  readonly text: string;
}

export function inspectAt(names: Names, code: string, cursor: number): Inspection {
  const path = nameUnder(code, cursor);
  const target = path.length ? follow(names, path) : undefined;
  if (!target) return { found: false, text: "" };
  return {
    found: true,
    text: `${path.join(".")}: ${typeName(target.value)}\n${previewText(target.value, 2000)}`,
  };
}

function follow(names: Names, path: readonly string[]): { value: unknown } | undefined {
  let target = names.value(path[0]!) ?? global(path[0]!);
  for (const name of path.slice(1)) target = target && peek(target.value, name);
  return target;
}

/** Node's own globals that hide behind getters, which are known to do nothing else. */
const BEHIND_GETTERS = new Set(["process", "Buffer", "crypto", "performance", "navigator"]);

function global(name: string): { value: unknown } | undefined {
  if (BEHIND_GETTERS.has(name) && name in globalThis)
    return { value: (globalThis as Record<string, unknown>)[name] };
  return peek(globalThis, name);
}

function kindOf(holder: unknown, name: string): string {
  return kind(peek(holder, name));
}

function kind(found: { value: unknown } | undefined): string {
  const type = found ? typeName(found.value) : "";
  return type === "function" || type === "class" || type === "module" ? type : "instance";
}

const require = createRequire(import.meta.url);

function builtin(specifier: string): object | undefined {
  return specifier.startsWith("node:") || builtinModules.includes(specifier)
    ? (require(specifier) as object)
    : undefined;
}

const EVERYWHERE = new Set(Object.getOwnPropertyNames(Object.prototype));

/** What every object has comes last: it is hardly ever what is looked for. */
function ownFirst(a: string, b: string): number {
  return Number(EVERYWHERE.has(a)) - Number(EVERYWHERE.has(b)) || plainFirst(a, b);
}

function plainFirst(a: string, b: string): number {
  return Number(a.startsWith("_")) - Number(b.startsWith("_")) || (a < b ? -1 : 1);
}
