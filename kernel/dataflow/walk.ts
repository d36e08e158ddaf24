// One walk over a cell's syntax tree that finds what running the cell reads and writes, and what is left for later: in its
// functions, and in values that share parts with others. Relies on compile/ for scopes. Never looks at other cells.

import { unexported } from "../compile/scope.ts";
import {
  child,
  children,
  descend,
  type Identifier,
  isFunction,
  isIdentifier,
  isPattern,
  type Node,
  patternNames,
} from "../compile/syntax.ts";
import { type Context, Effects, ownedBy, topLevel } from "./effects.ts";
import type { CellFacts, Depth } from "./facts.ts";
import { type Held, type Holding, type Holdings, hold, isLocal, type Root } from "./holdings.ts";
import { Looks } from "./looks.ts";
import { Names } from "./names.ts";
import { defaultsIn, rootIdentifier, rootsOf, USING, unwrapped } from "./roots.ts";

/** Methods of arrays that call their function at once and keep nothing of it. */
const CALLS_AT_ONCE =
  /^(forEach|map|filter|reduce|reduceRight|some|every|find|findIndex|findLast|findLastIndex|flatMap|sort|toSorted)$/;

export class Walk {
  readonly #program: Node;
  readonly #names: Names;
  readonly #looks: Looks;
  readonly #effects = new Effects();
  readonly #holdings: Holdings = this.#effects.holdings;

  constructor(program: Node) {
    this.#program = program;
    this.#names = new Names(program);
    this.#looks = new Looks(this.#names);
  }

  facts(): Omit<CellFacts, "frozen" | "auto" | "broken"> {
    const statements = children(this.#program, "body");
    const last = statements.at(-1);
    if (last?.type === "ExpressionStatement") this.#looks.end(child(last, "expression")!);
    for (const statement of statements) {
      const declaration = unexported(statement);
      if (declaration && statement.type !== "ImportDeclaration") this.#walk(declaration, topLevel);
    }
    const { defines, makers, assigns, free } = this.#names;
    const consumes = this.#looks.consumes(this.#holdings);
    return { defines, makers, assigns, free, consumes, ...this.#effects.facts() };
  }

  /** @param kept Whether a function standing here is only stored, under a top-level name. */
  #walk(node: Node, context: Context, kept = false): undefined {
    switch (node.type) {
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        return this.#function(node, context, kept);
      case "ClassDeclaration":
      case "ClassExpression":
        return this.#class(node, context, kept);
      case "Identifier":
        return this.#read(node as Identifier, context);
      case "VariableDeclaration":
        for (const declarator of children(node, "declarations")) this.#declarator(declarator, context);
        return;
      case "AssignmentExpression":
        return this.#assignment(node, context);
      case "UpdateExpression":
        this.#target(child(node, "argument")!, context, undefined);
        return;
      case "UnaryExpression": {
        const argument = child(node, "argument")!;
        if (node.operator === "delete") this.#target(argument, context, undefined);
        else this.#walk(argument, context);
        return;
      }
      case "ForInStatement":
      case "ForOfStatement":
        return this.#forEach(node, context);
      case "CallExpression":
      case "NewExpression":
        return this.#call(node, context);
      case "ReturnStatement":
      case "YieldExpression":
        return this.#handOut(child(node, "argument"), context);
      case "ObjectExpression":
      case "ArrayExpression":
      case "ConditionalExpression":
      case "LogicalExpression":
      case "SequenceExpression":
      case "ParenthesizedExpression":
        for (const part of descend(node)) this.#walk(part, context, kept);
        return;
      case "Property":
        if (node.computed) this.#walk(child(node, "key")!, context);
        return this.#walk(child(node, "value")!, context, kept);
      case "MemberExpression":
        if (context.immediate) this.#looks.open(child(node, "object")!);
        this.#walk(child(node, "object")!, context);
        if (node.computed) this.#walk(child(node, "property")!, context);
        return;
      case "LabeledStatement":
        return this.#walk(child(node, "body")!, context);
      default:
        for (const part of descend(node)) this.#walk(part, context);
    }
  }

  #function(node: Node, outer: Context, kept: boolean): undefined {
    const id = child(node, "id");
    const names =
      node.type === "FunctionDeclaration" && isIdentifier(id) ? [this.#names.rootOf(id)] : outer.self;
    const outlives = kept || outer.handedOut || names.some((name) => this.#names.isReturned(name));
    const closure = outlives ? this.#names.scopeWithin(node) : outer.closure;
    const context = { ...outer, closure, handedOut: false };
    if (node.type !== "FunctionDeclaration" || !isIdentifier(id))
      return this.#inside(node, { ...context, immediate: context.immediate && !kept, later: true });
    // A top-level function runs when its name is used; a local one may have been called when that cannot be seen.
    const own = this.#bound(id);
    const immediate = context.immediate && isLocal(own.root);
    this.#inside(node, { ...ownedBy(context, [own]), immediate, later: true });
  }

  #inside(node: Node, context: Context): undefined {
    const body = child(node, "body")!;
    for (const parameter of children(node, "params")) {
      const bound = this.#bind(parameter, undefined, context);
      this.#walkPattern(parameter, ownedBy(context, bound), false);
    }
    if (body.type === "BlockStatement") this.#walk(body, context);
    else this.#handOut(body, context);
  }

  /** What a function returns or yields is in the hands of whoever has the function. */
  #handOut(value: Node | undefined, context: Context): undefined {
    if (!value) return;
    this.#hold(value, context);
    this.#walk(value, { ...context, handedOut: true });
  }

  #class(node: Node, outer: Context, keptByName: boolean): undefined {
    const id = child(node, "id");
    const own = node.type === "ClassDeclaration" && isIdentifier(id) ? this.#bound(id) : undefined;
    const context = own ? ownedBy(outer, [own]) : outer;
    const kept = own ? !isLocal(own.root) : keptByName;
    const superClass = child(node, "superClass");
    // What its methods do, calling one of the subclass may do.
    if (superClass) this.#hold(superClass, context, true);
    if (superClass) this.#walk(superClass, { ...context, later: true });
    for (const member of children(child(node, "body")!, "body")) {
      if (member.type === "StaticBlock") {
        for (const part of descend(member)) this.#walk(part, context);
        continue;
      }
      if (member.computed) this.#walk(child(member, "key")!, context);
      const value = child(member, "value");
      if (!value) continue;
      if (isFunction(value)) {
        this.#walk(value, context, kept);
        continue;
      }
      this.#hold(value, context);
      const later = { ...context, immediate: context.immediate && !kept, later: true };
      this.#walk(value, member.static === true ? context : later, kept);
    }
  }

  #declarator(node: Node, context: Context): undefined {
    const id = child(node, "id")!;
    const init = child(node, "init");
    if (isIdentifier(id) && id.name.startsWith(USING)) return;
    if (init && context.immediate && id.type !== "Identifier") this.#looks.open(init);
    const bound = this.#bind(id, init && this.#roots(init, context, isPattern(id)), context);
    const kept = areTop(bound);
    if (isIdentifier(id) && init && isFunction(unwrapped(init)) && kept) this.#names.makers.add(id.name);
    this.#walkPattern(id, ownedBy(context, bound), kept);
    if (init) this.#walk(init, ownedBy(context, bound), kept);
  }

  #assignment(node: Node, context: Context): undefined {
    const [left, right] = [child(node, "left")!, child(node, "right")!];
    const held = this.#target(left, context, this.#roots(node, context, isPattern(left)));
    this.#walk(right, ownedBy(context, held), areTop(held));
  }

  #forEach(node: Node, context: Context): undefined {
    const [left, right] = [child(node, "left")!, child(node, "right")!];
    const roots = node.type === "ForOfStatement" ? this.#roots(right, context, true) : undefined;
    if (left.type === "VariableDeclaration")
      for (const declarator of children(left, "declarations")) {
        const id = child(declarator, "id")!;
        const bound = this.#bind(id, roots, context);
        this.#walkPattern(id, ownedBy(context, bound), areTop(bound));
      }
    else this.#target(left, context, roots);
    if (node.type === "ForOfStatement") this.#looks.show(right);
    this.#walk(right, context);
    this.#walk(child(node, "body")!, context);
  }

  #call(node: Node, context: Context): undefined {
    const callee = unwrapped(child(node, "callee")!);
    const given = children(node, "arguments");
    const method = callee.type === "MemberExpression" ? child(callee, "property") : undefined;
    const atOnce = isIdentifier(method) && !callee.computed && CALLS_AT_ONCE.test(method.name);
    const shows = isIdentifier(callee) && callee.name === "display";
    for (const argument of given)
      if (shows) this.#looks.show(argument);
      else this.#looks.open(argument);
    // Looking through an array is not yet looking at what is in it: the function that is called for each part may.
    if (atOnce && given.some(isFunction)) this.#looks.show(child(callee, "object")!);
    if (isFunction(callee)) {
      for (const parameter of children(callee, "params"))
        for (const argument of given)
          this.#bind(parameter, this.#roots(argument, context, isPattern(parameter)), context);
      this.#inside(callee, context);
    } else this.#walk(callee, context);
    // The elements of an array that is walked are parts of it, and so is what a fold starts with.
    const receiver = callee.type === "MemberExpression" ? child(callee, "object") : undefined;
    const parts = [receiver, ...given].map((part) => part && this.#roots(part, context, true));
    for (const argument of given) {
      if (!isFunction(argument)) {
        this.#walk(argument, context);
        continue;
      }
      for (const parameter of children(argument, "params"))
        for (const part of parts) this.#bind(parameter, part, context);
      this.#inside(argument, atOnce ? context : { ...context, later: true });
    }
  }

  /** What is assigned, updated or deleted. Returns what now holds the value. */
  #target(target: Node, context: Context, roots: Held | undefined): Holding[] {
    const node = unwrapped(target);
    switch (node.type) {
      case "Identifier": {
        const holding = this.#bound(node as Identifier);
        hold(holding, roots);
        const scope = this.#names.scopeOf(node as Identifier);
        if (scope === undefined) this.#effects.assign(holding.root, context);
        else this.#effects.writeLocal(scope, context);
        return [holding];
      }
      case "MemberExpression": {
        this.#walk(node, context);
        const depth = this.#write(child(node, "object")!, context);
        return this.#roots(child(node, "object")!, context, true).is.map((root) => {
          const holding = this.#holdings.stored(root, depth);
          hold(holding, roots && { is: [], has: [...roots.is, ...roots.has] });
          return holding;
        });
      }
      case "ObjectPattern":
        return children(node, "properties").flatMap((property) => {
          if (property.computed) this.#walk(child(property, "key")!, context);
          const inner = child(property, property.type === "RestElement" ? "argument" : "value")!;
          return this.#target(inner, context, roots);
        });
      case "ArrayPattern":
        return children(node, "elements").flatMap((element) => this.#target(element, context, roots));
      case "AssignmentPattern": {
        const value = child(node, "right")!;
        const held = this.#target(child(node, "left")!, context, this.#roots(value, context));
        this.#walk(value, { ...context, owners: [...context.owners, ...held] });
        return [...held, ...this.#target(child(node, "left")!, context, roots)];
      }
      case "RestElement":
        return this.#target(child(node, "argument")!, context, roots);
      default:
        this.#walk(node, context);
        return [];
    }
  }

  /** A member of a value is changed. What methods do to their own object cannot be told from calls that do not. */
  #write(value: Node, context: Context): Depth {
    const root = rootIdentifier(value);
    const scope = root && this.#names.scopeOf(root);
    if (scope !== undefined) this.#effects.writeLocal(scope, context);
    const depth = isIdentifier(unwrapped(value)) ? 1 : 2;
    for (const root of this.#roots(value, { ...context, self: [] }, true).is)
      if (!root.startsWith(USING)) this.#effects.write(root, depth, context);
    return depth;
  }

  /** The names of a pattern come to hold a value, or one of the pattern's defaults. */
  #bind(pattern: Node, roots: Held | undefined, context: Context): Holding[] {
    const defaults = defaultsIn(pattern).map((value) => this.#roots(value, context));
    return patternNames(pattern).map((id) => {
      const holding = this.#bound(id);
      for (const held of [roots, ...defaults]) hold(holding, held);
      return holding;
    });
  }

  /** Keys and defaults of a pattern, not its names: to declare a name is not to read it. */
  #walkPattern(pattern: Node, context: Context, kept: boolean): undefined {
    if (pattern.computed) this.#walk(child(pattern, "key")!, context);
    if (pattern.type === "AssignmentPattern") this.#walk(child(pattern, "right")!, context, kept);
    for (const field of ["properties", "elements"])
      for (const part of children(pattern, field)) this.#walkPattern(part, context, kept);
    for (const field of ["value", "left", "argument"]) {
      const part = child(pattern, field);
      if (part) this.#walkPattern(part, context, kept);
    }
  }

  #read(node: Identifier, context: Context): undefined {
    if (!this.#names.isTop(node) || node.name.startsWith(USING)) return;
    this.#effects.read(node.name, context);
    if (context.immediate) this.#looks.read(node);
  }

  #hold(value: Node, context: Context, parts = false): undefined {
    if (context.owners.length > 0) this.#effects.hold(this.#roots(value, context, parts), context);
  }

  #bound(id: Identifier): Holding {
    return this.#holdings.bound(this.#names.rootOf(id));
  }

  #roots(value: Node, context: Context, parts = false): Held {
    const { is, has } = rootsOf(value, parts);
    const names = (node: Node): readonly Root[] =>
      node.type === "ThisExpression" ? context.self : [this.#names.rootOf(node as Identifier)];
    return { is: is.flatMap(names), has: has.flatMap(names) };
  }
}

function areTop(holdings: readonly Holding[]): boolean {
  return holdings.length > 0 && !holdings.some(({ root }) => isLocal(root));
}
