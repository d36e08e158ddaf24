// One cell of TypeScript -> the text of one async JavaScript function. Pure: the same text and names give the same code.
//
// The cell's own declarations stay what they are, inside the function, as in an ES module; `define` hands out live
// accessors to them first thing, so closures, loops and the temporal dead zone behave as written. A name that another
// cell defines is read through `$cell.in`, whose accessors the session ties to the binding seen when this run began.
// Assigning such a name makes a binding of this cell that starts with the other's value: no cell changes another's.

import MagicString from "magic-string";
import { type GuardNames, guard } from "./guard.ts";
import { parseTypeScript } from "./parse.ts";
import { backwards, type Place, placeAt } from "./positions.ts";
import { analyse, type Definition, type Reference, unexported } from "./scope.ts";
import { child, children, descend, type Identifier, isIdentifier, type Node } from "./syntax.ts";

export interface CompiledCell {
  /** An expression: `async function ($cell) {...}`, returning `[value]` when the cell ends in a value. */
  readonly code: string;
  readonly definitions: readonly Definition[];
  /** Free names: those of other cells, globals, and names nobody defines. */
  readonly references: readonly string[];
  /** Names of other cells that this cell reads (or starts its own binding from). */
  readonly inputs: readonly string[];
  /** What the returned value is: an expression's, or that of the one name the last statement declares. */
  readonly shows: "expression" | "declaration" | "nothing";
  /** Where the expression stands whose value is returned. */
  valuePlace(): Place | undefined;
  /** From a place in `code` to the place in the cell's text. */
  place(compiled: Place): Place | undefined;
}

/**
 * Free names that are the session's own: oxc's helpers, the promise that this run has been replaced, what CommonJS has of a
 * file's place, and what there is here of Deno. No globals, since libraries look at those to tell where they run.
 */
const SESSION_NAMES: ReadonlyMap<string, string> = new Map([
  ["babelHelpers", "helpers"],
  ["invalidation", "invalidation"],
  ["__dirname", "meta.dirname"],
  ["__filename", "meta.filename"],
  ["Deno", "deno"],
]);

/** @param visible Names that cells above define. @throws CellSyntaxError */
export function compileCell(source: string, visible: ReadonlySet<string>): CompiledCell {
  const { code: javascript, program, map } = parseTypeScript(source);
  const scopes = analyse(program);
  const text = new MagicString(javascript);
  const cell = unusedName(javascript);
  const names: GuardNames = {
    stop: `${cell}_stop`,
    here: `${cell}_here`,
    reason: `${cell}_reason`,
    tick: `${cell}_tick`,
    caught: `${cell}_caught`,
  };

  const assigned = new Set(
    scopes.free.filter((r) => r.assigned && visible.has(r.node.name)).map((r) => r.node.name),
  );
  const inputs = new Set<string>();
  for (const reference of scopes.free) {
    if (!visible.has(reference.node.name)) continue;
    inputs.add(reference.node.name);
    if (!assigned.has(reference.node.name)) readThrough(text, reference, `${cell}_in`);
  }
  for (const { node, position } of scopes.free) {
    const own = visible.has(node.name) ? undefined : SESSION_NAMES.get(node.name);
    if (!own) continue;
    if (position === "shorthand") text.appendLeft(node.end, `:${cell}.${own}`);
    else text.update(node.start, node.end, `${cell}.${own}`);
  }

  // A first line for the shell means nothing here, and is an error anywhere but at a file's very start.
  if (javascript.startsWith("#!")) text.update(0, 2, "//");

  guard(text, program, names);
  hostModuleSyntax(text, program, cell);

  const body = children(program, "body");
  const erased = new Set(typeOnly(source, body, scopes.used));
  const { shows, at } = returnLast(text, body);
  const imports = body.filter((statement) => statement.type === "ImportDeclaration");
  const top = body.find((statement) => statement.type !== "ImportDeclaration")?.start ?? javascript.length;
  for (const statement of imports) importNames(text, statement, cell, erased, top);
  for (const statement of body) reexport(text, statement, cell);

  const definitions: Definition[] = [
    ...scopes.definitions.filter(({ name }) => !name.startsWith("_usingCtx")),
    ...[...assigned].map((name): Definition => ({ name, kind: "let" })),
  ];
  const accessors = definitions.map(({ name, kind }) =>
    kind === "const" || kind === "import"
      ? `["${name}"]:[()=>${name}]`
      : `["${name}"]:[()=>${name},${cell}_v=>${name}=${cell}_v]`,
  );
  const prologue = [
    `const{in:${cell}_in,stop:${names.stop},reason:${names.reason},tick:${names.tick},caught:${names.caught}}=${cell},`,
    `${names.here}=${names.stop};`,
    ...[...assigned].map((name) => `let ${name}=${cell}_in.${name};`),
    accessors.length ? `${cell}.define({${accessors.join(",")}});` : "",
  ];
  text.prepend(`async function(${cell}){"use strict";${prologue.join("")}`).append("\n}");

  return {
    code: text.toString(),
    definitions,
    references: [...new Set(scopes.free.map((r) => r.node.name))],
    inputs: [...inputs],
    shows,
    valuePlace: () => (at === undefined ? undefined : backwards([map?.mappings])(placeAt(javascript, at))),
    place: backwards([map?.mappings, text.generateMap({ hires: "boundary" }).mappings]),
  };
}

/** `$cell`, or with more dollars where the text already uses that. */
function unusedName(text: string): string {
  let name = "$cell";
  while (text.includes(name)) name = `$${name}`;
  return name;
}

// Insertions before a node attach to it (prependRight) and those after a node too (appendLeft), inner nodes first:
// so they nest, and travel with the node when an import moves.

/** Reads another cell's name: `x` -> `$in.x`, `{ x }` -> `{ x: $in.x }`, `f()` -> `(0, $in.f)()`. */
function readThrough(text: MagicString, { node, position }: Reference, from: string): void {
  if (position === "shorthand") text.appendLeft(node.end, `:${from}.${node.name}`);
  else if (position === "callee") text.prependRight(node.start, `(0,${from}.`).appendLeft(node.end, ")");
  else text.prependRight(node.start, `${from}.`);
}

/** `import(...)` and `import.meta` belong to modules: the session provides both for the notebook's folder. */
function hostModuleSyntax(text: MagicString, root: Node, cell: string): void {
  const walk = (node: Node): void => {
    if (node.type === "ImportExpression")
      text.update(node.start, node.start + "import".length, `${cell}.import`);
    if (node.type === "MetaProperty" && (child(node, "meta") as Identifier | undefined)?.name === "import")
      text.update(node.start, node.end, `${cell}.meta`);
    for (const inner of descend(node)) walk(inner);
  };
  walk(root);
}

/**
 * A static import becomes an awaited one, moved to the top as the language hoists it; the map keeps its line.
 * `import a, { b as c } from "m"` -> `const { "default": a, "b": c } = await $cell.module("m", ["default", "b"], [])`.
 */
function importNames(
  text: MagicString,
  statement: Node,
  cell: string,
  erased: ReadonlySet<string>,
  top: number,
): void {
  const bindings: string[] = [];
  const required: string[] = [];
  const optional: string[] = [];
  let namespace = "";
  for (const specifier of children(statement, "specifiers")) {
    const local = (child(specifier, "local") as Identifier).name;
    if (specifier.type === "ImportNamespaceSpecifier") namespace = local;
    else {
      const name =
        specifier.type === "ImportDefaultSpecifier" ? "default" : exportName(specifier, "imported");
      bindings.push(`${JSON.stringify(name)}:${local}`);
      (erased.has(local) ? optional : required).push(name);
    }
  }
  const call = `await ${cell}.module(${moduleArguments(statement, required, optional)})`;
  let replacement = `${call};`;
  if (namespace) {
    const rest = bindings.length ? `,{${bindings.join(",")}}=${namespace}` : "";
    replacement = `const ${namespace}=${call}${rest};`;
  } else if (bindings.length) replacement = `const{${bindings.join(",")}}=${call};`;
  text.update(statement.start, statement.end, replacement);
  if (statement.start > top) text.move(statement.start, statement.end, top);
}

function moduleArguments(statement: Node, required: string[], optional: string[]): string {
  const attributes = Object.fromEntries(
    children(statement, "attributes").map((a) => [exportName(a, "key"), child(a, "value")?.value]),
  );
  const parts: unknown[] = [child(statement, "source")?.value, required, optional, attributes];
  return parts.map((part) => JSON.stringify(part)).join(",");
}

function exportName(node: Node, field: string): string {
  const name = child(node, field)!;
  return isIdentifier(name) ? name.name : String(name.value);
}

/** `export` says nothing in a notebook: the keyword goes, `export ... from` only loads its module. */
function reexport(text: MagicString, statement: Node, cell: string): void {
  if (statement.type === "ExportAllDeclaration" || statement.type === "ExportNamedDeclaration") {
    const declaration = child(statement, "declaration");
    if (declaration) text.remove(statement.start, declaration.start);
    else if (!child(statement, "source")) text.remove(statement.start, statement.end);
    else
      text.update(
        statement.start,
        statement.end,
        `await ${cell}.module(${moduleArguments(statement, [], [])});`,
      );
  } else if (statement.type === "ExportDefaultDeclaration") {
    const declaration = child(statement, "declaration")!;
    const named = /Declaration$/.test(declaration.type) && child(declaration, "id");
    if (named) text.remove(statement.start, declaration.start);
    else {
      text.update(statement.start, declaration.start, "(");
      text.appendLeft(declaration.end, ")");
    }
  }
}

/** Makes the last statement hand its value to the session. Tells what that is and where its expression begins. */
function returnLast(text: MagicString, body: Node[]): { shows: CompiledCell["shows"]; at?: number } {
  let last = body.findLast((s) => s.type !== "EmptyStatement" && !isEmptyExport(s));
  // `using` is lowered to a try statement around the whole cell: the cell's last statement is the last one inside.
  const inside = last?.type === "TryStatement" ? children(child(last, "block")!, "body") : [];
  if (inside[0]?.type === "VariableDeclaration" && declaresUsing(inside[0])) last = inside.at(-1);
  if (!last) return { shows: "nothing" };
  if (last.type === "ExpressionStatement") {
    const expression = child(last, "expression")!;
    text.prependRight(last.start, "return[(");
    text.appendLeft(expression.end, ")];");
    return { shows: "expression", at: expression.start };
  }
  const declaration = unexported(last);
  if (declaration?.type !== "VariableDeclaration") return { shows: "nothing" };
  const [declarator, more] = children(declaration, "declarations");
  const name = declarator && child(declarator, "id");
  if (more || !isIdentifier(name)) return { shows: "nothing" };
  text.appendLeft(last.end, `return[${name.name}];`);
  return { shows: "declaration", at: name.start };
}

function declaresUsing(declaration: Node): boolean {
  const id = child(children(declaration, "declarations")[0]!, "id");
  return isIdentifier(id) && id.name.startsWith("_usingCtx");
}

function isEmptyExport(statement: Node): boolean {
  return (
    statement.type === "ExportNamedDeclaration" &&
    !child(statement, "declaration") &&
    !child(statement, "source")
  );
}

/**
 * Imported names that this cell mentions in its types only: when the module has no such export, it was a type.
 * A name nothing mentions stays required, since a later cell may use it.
 */
function typeOnly(source: string, body: Node[], used: ReadonlySet<string>): string[] {
  const locals = body
    .filter((statement) => statement.type === "ImportDeclaration")
    .flatMap((statement) => children(statement, "specifiers"))
    .map((specifier) => (child(specifier, "local") as Identifier).name);
  return locals.filter((name) => {
    if (used.has(name)) return false;
    const mentions = source.match(new RegExp(`(?<![\\w$])${name.replace(/\$/g, "\\$")}(?![\\w$])`, "g"));
    return (mentions?.length ?? 0) > 1;
  });
}
