// The interrupt guard: a look at one shared word in every loop's body and at every function's entry, so that code which
// never returns to the event loop can still be stopped, and a `catch` that lets the interrupt through.
// Relies on the names of GuardNames being in scope. What it adds to a tight loop is one look and a bare `throw`: V8 compiles
// a loop that it enters midway (on-stack replacement) three to five times slower when anything in it, a call or a
// property's read, has never run, and what only an interrupt reaches never has.

import type MagicString from "magic-string";
import { child, descend, isFunction, isIdentifier, isLoop, type Node } from "./syntax.ts";

export interface GuardNames {
  /** A typed array whose first element is not zero when the code has to stop. */
  readonly stop: string;
  /** What a function with loops calls its own copy of `stop`, which its loops find without a step outward. */
  readonly here: string;
  /** What is thrown then. */
  readonly reason: string;
  /** Called with nothing; throws when the run must not go on: for loops that wait, where things change meanwhile. */
  readonly tick: string;
  /** Called with what a catch clause caught; throws it again when it is the interrupt. */
  readonly caught: string;
}

/** What a function's own code holds, functions inside it left out. */
interface Seen {
  loops: boolean;
  calls: boolean;
  pauses: boolean;
}

/** Marks both ends of an arrow function's value, so that its text can be told as it was written. */
const VALUE = "/*value*/";

export function guard(text: MagicString, root: Node, names: GuardNames): void {
  // Inner nodes first, so that at a shared edge the outer node's insertion comes outside.
  const walk = (node: Node, parent?: Node): Seen => {
    const seen = { loops: isLoop(node), calls: isCall(node), pauses: isPause(node) };
    for (const inner of descend(node)) {
      const { loops, calls, pauses } = walk(inner, node);
      seen.loops ||= loops;
      seen.calls ||= calls;
      seen.pauses ||= pauses;
    }
    if (isLoop(node)) guardLoop(text, child(node, "body"), seen, names);
    if (node.type === "CatchClause") guardCatch(text, node, names.caught);
    if (!isFunction(node)) return seen;
    if (!isLeaf(node, parent, seen)) guardFunction(text, child(node, "body"), seen, names);
    return { loops: false, calls: false, pauses: false };
  };
  walk(root);
}

/**
 * A small function by a name, which calls nothing: only who calls it can go on for long, and a check in it would cost more
 * than all it does. One that is handed over, to `sort` for instance, has its check: nothing else stops a built-in's loop.
 */
function isLeaf(node: Node, parent: Node | undefined, { loops, calls, pauses }: Seen): boolean {
  const named = node.type === "FunctionDeclaration" || parent?.type === "VariableDeclarator";
  return named && !(loops || calls || pauses);
}

function isCall({ type }: Node): boolean {
  return /^(?:Call|New|TaggedTemplate|Import)Expression$/.test(type);
}

function isPause(node: Node): boolean {
  return (
    /^(?:Await|Yield)Expression$/.test(node.type) || (node.type === "ForOfStatement" && node.await === true)
  );
}

function guardLoop(text: MagicString, body: Node | undefined, { pauses }: Seen, names: GuardNames): void {
  const check = pauses ? `${names.tick}();` : `if(${names.here}[0])throw ${names.reason};`;
  if (body?.type === "BlockStatement") text.appendLeft(body.start + 1, check);
  else if (body) text.prependRight(body.start, `{${check}`).appendLeft(body.end, "}");
}

/** A function with loops is checked in these alone: V8 has no record of what ran once, before a loop that it entered midway. */
function guardFunction(text: MagicString, body: Node | undefined, { loops }: Seen, names: GuardNames): void {
  const check = `if(${names.stop}[0])throw ${names.reason};`;
  if (body?.type === "BlockStatement")
    text.appendLeft(body.start + 1, loops ? `const ${names.here}=${names.stop};` : check);
  else if (body) text.prependRight(body.start, `{${VALUE}${check}return `).appendLeft(body.end, `${VALUE}}`);
}

function guardCatch(text: MagicString, clause: Node, caught: string): void {
  const parameter = child(clause, "param");
  const body = child(clause, "body")!;
  if (isIdentifier(parameter)) text.appendLeft(body.start + 1, `${caught}(${parameter.name});`);
  else if (!parameter) {
    text.prependRight(body.start, "($error)").appendLeft(body.start + 1, `${caught}($error);`);
  } else {
    text.appendLeft(parameter.start, "$error").appendLeft(body.start + 1, `${caught}($error);let `);
    text.appendLeft(parameter.end, "=$error;").move(parameter.start, parameter.end, body.start + 1);
  }
}
