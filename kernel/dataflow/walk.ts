// One walk over a cell's syntax tree that finds what running the cell reads and writes, and what is left for later: in its
// functions, and in values that share parts with others. Relies on compile/ for scopes. Never looks at other cells.

import { analyse, unexported } from "../compile/scope.ts";
import {
  child,
  children,
  descend,
  type Identifier,
  isFunction,
  isIdentifier,
  type Node,
  patternNames,
} from "../compile/syntax.ts";
import type { CellFacts, Depth } from "./facts.ts";
import {
  changed,
  type Held,
  type Holding,
  Holdings,
  hold,
  isLocal,
  localRoot,
  type Root,
} from "./holdings.ts";
import { defaultsIn, rootsOf, USING, unwrapped } from "./roots.ts";

/** Methods of arrays that call their function at once and keep nothing of it. */
const CALLS_AT_ONCE =
  /^(forEach|map|filter|reduce|reduceRight|some|every|find|findIndex|findLast|findLastIndex|flatMap|sort|toSorted)$/;

/** What the compiler puts in where it lowers newer syntax. */
const HELPERS = "babelHelpers";

/** Where code stands: whom it belongs to, and whether it runs with the cell, later, or both. */
interface Context {
  /** What the code's functions, and the values they hand out, become part of. */
  readonly owners: readonly Holding[];
  /** Their names, in the same order. */
  readonly names: readonly Root[];
  /** What `this` may be. */
  readonly self: readonly Root[];
  /** The scope of the function that may be called when the one around it is over; 0 outside of such. */
  readonly closure: number;
  /** Inside what a function returns. */
  readonly handedOut: boolean;
  readonly immediate: boolean;
  readonly later: boolean;
}

export class Walk {
  readonly #program: Node;
  readonly #defines: Set<string>;
  readonly #makers: Set<string>;
  readonly #assigns: Set<string>;
  readonly #free: Set<string>;
  /** The references that are to the cell's top level or to other cells. */
  readonly #top: Set<Node>;
  /** The scopes of all others. */
  readonly #inner: ReadonlyMap<Node, number>;
  readonly #functions: ReadonlyMap<Node, number>;
  /** Local names whose values functions return. */
  readonly #handedOut = new Set<Root>();
  readonly #reads = new Set<string>();
  readonly #writes = new Map<Root, Depth>();
  readonly #consumes = new Set<string>();
  /** Local names whose parts the cell looks at. */
  readonly #opened = new Set<Root>();
  /** Uses that show a value and look no further. */
  readonly #shown = new Set<Node>();
  readonly #holdings = new Holdings();

  constructor(program: Node) {
    this.#program = program;
    const { definitions, free, own, inner, functions } = analyse(program);
    this.#makers = new Set(
      definitions.filter(({ kind }) => kind === "function" || kind === "import").map(({ name }) => name),
    );
    this.#defines = new Set(definitions.map(({ name }) => name).filter((n) => !n.startsWith(USING)));
    const references = free.filter(({ node }) => node.name !== HELPERS);
    this.#assigns = new Set(references.filter((r) => r.assigned).map((r) => r.node.name));
    this.#free = new Set(references.map((r) => r.node.name));
    this.#top = new Set<Node>([...references.map((r) => r.node), ...own]);
    this.#inner = inner;
    this.#functions = functions;
    for (const value of handedOut(program))
      for (const id of identifiersIn(value)) if (inner.has(id)) this.#handedOut.add(this.#name(id));
  }

  facts(): Omit<CellFacts, "frozen" | "auto" | "broken"> {
    const statements = children(this.#program, "body");
    const last = statements.at(-1);
    if (last?.type === "ExpressionStatement") this.#shown.add(unwrapped(child(last, "expression")!));
    const context: Context = {
      owners: [],
      names: [],
      self: [],
      closure: 0,
      handedOut: false,
      immediate: true,
      later: false,
    };
    for (const statement of statements) {
      const declaration = unexported(statement);
      if (declaration && statement.type !== "ImportDeclaration") this.#walk(declaration, context);
    }
    if (this.#opened.size) {
      const parts = this.#holdings.written(new Map([...this.#opened].map((root) => [root, 1])));
      for (const name of [...this.#holdings.holders(this.#opened), ...parts.keys()])
        if (this.#defines.has(name)) this.#consumes.add(name);
    }
    return {
      defines: this.#defines,
      assigns: this.#assigns,
      free: this.#free,
      uses: { reads: this.#reads, writes: this.#holdings.written(this.#writes) },
      makers: this.#makers,
      consumes: this.#consumes,
      ...this.#holdings.facts(),
    };
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
        if (context.immediate) this.#open(child(node, "object")!);
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
    const names = node.type === "FunctionDeclaration" && isIdentifier(id) ? [this.#name(id)] : outer.self;
    const outlives = kept || outer.handedOut || names.some((name) => this.#handedOut.has(name));
    const closure = outlives ? this.#functions.get(node)! : outer.closure;
    const context = { ...outer, closure, handedOut: false };
    if (node.type !== "FunctionDeclaration" || !isIdentifier(id))
      return this.#inside(node, { ...context, immediate: context.immediate && !kept, later: true });
    // A top-level function runs when its name is used; a local one may have been called when that cannot be seen.
    const name = this.#name(id);
    const owned = this.#owned(context, [name]);
    this.#inside(node, { ...owned, immediate: context.immediate && isLocal(name), later: true });
  }

  #inside(node: Node, context: Context): undefined {
    const body = child(node, "body")!;
    for (const parameter of children(node, "params")) {
      const names = this.#bind(parameter, undefined, context);
      this.#walkPattern(parameter, this.#owned(context, names), false);
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
    const name = node.type === "ClassDeclaration" && isIdentifier(id) ? this.#name(id) : undefined;
    const context = name === undefined ? outer : this.#owned(outer, [name]);
    const kept = name === undefined ? keptByName : !isLocal(name);
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
    if (init && context.immediate && id.type !== "Identifier") this.#open(init);
    const names = this.#bind(id, init && this.#roots(init, context, isPattern(id)), context);
    if (isIdentifier(id) && init && isFunction(unwrapped(init)) && areTop(names)) this.#makers.add(id.name);
    this.#walkPattern(id, this.#owned(context, names), areTop(names));
    if (init) this.#walk(init, this.#owned(context, names), areTop(names));
  }

  #assignment(node: Node, context: Context): undefined {
    const [left, right] = [child(node, "left")!, child(node, "right")!];
    const held = this.#target(left, context, this.#roots(node, context, isPattern(left)));
    const roots = held.map(([, root]) => root);
    const owners = [...context.owners, ...held.map(([holding]) => holding)];
    const names = [...context.names, ...roots];
    const self = held.length ? roots : context.self;
    this.#walk(right, { ...context, owners, names, self }, areTop(roots));
  }

  #forEach(node: Node, context: Context): undefined {
    const [left, right] = [child(node, "left")!, child(node, "right")!];
    const roots = node.type === "ForOfStatement" ? this.#roots(right, context, true) : undefined;
    if (left.type === "VariableDeclaration")
      for (const declarator of children(left, "declarations")) {
        const names = this.#bind(child(declarator, "id")!, roots, context);
        this.#walkPattern(child(declarator, "id")!, this.#owned(context, names), areTop(names));
      }
    else this.#target(left, context, roots);
    if (node.type === "ForOfStatement") this.#show(right);
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
      if (shows) this.#show(argument);
      else this.#open(argument);
    // Looking through an array is not yet looking at what is in it: the function that is called for each part may.
    if (atOnce && given.some(isFunction)) this.#show(child(callee, "object")!);
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

  /** What is assigned, updated or deleted. Returns what now holds the value, and under which names. */
  #target(target: Node, context: Context, roots: Held | undefined): [Holding, Root][] {
    const node = unwrapped(target);
    switch (node.type) {
      case "Identifier": {
        const name = this.#name(node as Identifier);
        const holding = this.#holdings.bound(name);
        hold(holding, roots);
        if (isLocal(name)) this.#changeState(this.#inner.get(node)!, context);
        else if (context.later) for (const owner of context.owners) changed(owner.writes, name, 0);
        return [[holding, name]];
      }
      case "MemberExpression": {
        this.#walk(node, context);
        const depth = this.#write(child(node, "object")!, context);
        return this.#roots(child(node, "object")!, context, true).is.map((root) => {
          const holding = this.#holdings.stored(root, depth);
          hold(holding, roots && { is: [], has: [...roots.is, ...roots.has] });
          return [holding, root];
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
        const owners = [...context.owners, ...held.map(([holding]) => holding)];
        const names = [...context.names, ...held.map(([, root]) => root)];
        this.#walk(value, { ...context, owners, names });
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
    const scope = root && this.#inner.get(root);
    if (scope !== undefined) this.#changeState(scope, context);
    const depth = isIdentifier(unwrapped(value)) ? 1 : 2;
    for (const root of this.#roots(value, { ...context, self: [] }, true).is) {
      if (root.startsWith(USING)) continue;
      if (context.immediate) changed(this.#writes, root, depth);
      if (context.later) for (const owner of context.owners) changed(owner.writes, root, depth);
    }
    return depth;
  }

  /** A closure that changes a variable of the function that made it changes, with every call, what it is itself. */
  #changeState(scope: number, context: Context): undefined {
    if (!context.later || scope >= context.closure) return;
    for (const [i, owner] of context.owners.entries())
      if (!isLocal(context.names[i]!)) changed(owner.writes, context.names[i]!, 1);
  }

  /** The names of a pattern come to hold a value, or one of the pattern's defaults. Returns them. */
  #bind(pattern: Node, roots: Held | undefined, context: Context): Root[] {
    const defaults = defaultsIn(pattern).map((value) => this.#roots(value, context));
    return patternNames(pattern).map((id) => {
      const name = this.#name(id);
      for (const held of [roots, ...defaults]) hold(this.#holdings.bound(name), held);
      return name;
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

  /** A value, or a part of one, is shown or handed on as it is. An input's `value` is no part: it is what moves. */
  #show(value: Node): undefined {
    const node = unwrapped(value);
    if (node.type !== "MemberExpression") this.#shown.add(node);
    else if ((child(node, "property") as Partial<Identifier>).name !== "value")
      this.#show(child(node, "object")!);
  }

  /** A local input that is read here outdates the cell when it moves, under whatever name others hold it. */
  #open(value: Node): undefined {
    const node = unwrapped(value);
    if (isIdentifier(node) && this.#inner.has(node)) this.#opened.add(this.#name(node));
  }

  #hold(value: Node, context: Context, parts = false): undefined {
    if (context.owners.length === 0) return;
    const held = this.#roots(value, context, parts);
    for (const owner of context.owners) hold(owner, held);
  }

  #read(node: Identifier, context: Context): undefined {
    if (!this.#top.has(node) || node.name.startsWith(USING)) return;
    if (context.immediate) this.#reads.add(node.name);
    if (context.immediate && this.#defines.has(node.name) && !this.#shown.has(node))
      this.#consumes.add(node.name);
    if (context.later) for (const owner of context.owners) owner.reads.add(node.name);
  }

  #owned(context: Context, names: readonly Root[]): Context {
    if (names.length === 0) return context;
    const owners = [...context.owners, ...names.map((name) => this.#holdings.bound(name))];
    return { ...context, owners, names: [...context.names, ...names], self: names };
  }

  #roots(value: Node, context: Context, parts = false): Held {
    const { is, has } = rootsOf(value, parts);
    const names = (node: Node): readonly Root[] =>
      node.type === "ThisExpression" ? context.self : [this.#name(node as Identifier)];
    return { is: is.flatMap(names), has: has.flatMap(names) };
  }

  #name(id: Identifier): Root {
    const scope = this.#inner.get(id);
    return scope === undefined ? id.name : localRoot(id.name, scope);
  }
}

/** What the functions of a cell return. */
function* handedOut(node: Node): Generator<Node> {
  const returned = node.type === "ReturnStatement" ? child(node, "argument") : undefined;
  if (returned) yield returned;
  const body = node.type === "ArrowFunctionExpression" ? child(node, "body") : undefined;
  if (body && body.type !== "BlockStatement") yield body;
  for (const inner of descend(node)) yield* handedOut(inner);
}

/** The names whose values a value is or has in it, by its own text. */
function* identifiersIn(value: Node): Generator<Identifier> {
  const node = unwrapped(value);
  if (isIdentifier(node)) yield node;
  else if (node.type === "Property") yield* identifiersIn(child(node, "value")!);
  else if (/^(Object|Array|Conditional|Logical|Sequence)Expression$|^SpreadElement$/.test(node.type))
    for (const part of descend(node)) yield* identifiersIn(part);
}

function rootIdentifier(value: Node): Identifier | undefined {
  const node = unwrapped(value);
  if (isIdentifier(node)) return node;
  return node.type === "MemberExpression" ? rootIdentifier(child(node, "object")!) : undefined;
}

function areTop(names: readonly Root[]): boolean {
  return names.length > 0 && !names.some(isLocal);
}

function isPattern(node: Node): boolean {
  return node.type === "ObjectPattern" || node.type === "ArrayPattern";
}
