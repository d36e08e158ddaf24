// The interrupt guard: a counted check at every loop's body and every function's entry, so that code which never
// returns to the event loop can still be stopped, and a `catch` that lets the interrupt through.
// Relies on a `tick` and a `caught` function in scope. The check is made once in 32 passes: tight loops stay tight.

import type MagicString from "magic-string";
import { child, descend, isFunction, isIdentifier, isLoop, type Node } from "./syntax.ts";

export interface GuardNames {
  /** A counter variable, assigned in place. */
  readonly count: string;
  /** Called with nothing; throws when an interrupt is pending. */
  readonly tick: string;
  /** Called with what a catch clause caught; throws it again when it is the interrupt. */
  readonly caught: string;
}

const PASSES = 31;

export function guard(text: MagicString, root: Node, names: GuardNames): void {
  const check = `(${names.count}=${names.count}+1|0)&${PASSES}||${names.tick}()`;
  // Inner nodes first, so that at a shared edge the outer node's insertion comes outside.
  const walk = (node: Node): void => {
    for (const inner of descend(node)) walk(inner);
    if (isLoop(node) || isFunction(node)) guardBody(text, child(node, "body"), isFunction(node), check);
    if (node.type === "CatchClause") guardCatch(text, node, names.caught);
  };
  walk(root);
}

function guardBody(text: MagicString, body: Node | undefined, ofFunction: boolean, check: string): void {
  if (!body) return;
  if (body.type === "BlockStatement") text.appendLeft(body.start + 1, `${check};`);
  else if (ofFunction) text.prependRight(body.start, `(${check},`).appendLeft(body.end, ")");
  else text.prependRight(body.start, `{${check};`).appendLeft(body.end, "}");
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
