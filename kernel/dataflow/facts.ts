// What one cell's text says of names: what it defines, reads and writes when it runs, and what calling or changing what it
// defines does later. Relies on compile/ for scopes. Pure: the same text gives the same facts; never looks at other cells.
//
// A member write (`a.b = 1`, `a[i]++`, `delete a.b`) writes the name at its root, also through a local name that stands for
// part of the value. Where code might run or might not, it counts as run. What a method does inside cannot be seen.

import { CellSyntaxError, commentsOf, parseTypeScript } from "../compile/parse.ts";
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

/** Names of this cell's top level or free names, never local ones. */
export interface Uses {
  readonly reads: ReadonlySet<string>;
  /** Names whose value is changed in place; of latent uses also own names that are assigned. */
  readonly writes: ReadonlySet<string>;
}

export interface Latent extends Uses {
  /** Names whose value this one's value may be, or be part of, or contain. */
  readonly aliases: ReadonlySet<string>;
}

export interface CellFacts {
  readonly defines: ReadonlySet<string>;
  /** Free names that are assigned: where a cell above defines one, this cell has a binding of its own that starts with it. */
  readonly assigns: ReadonlySet<string>;
  /** Every free name. */
  readonly free: ReadonlySet<string>;
  /** What running the cell does. */
  readonly uses: Uses;
  /** Own names that the cell reads itself, other than to show them. */
  readonly consumes: ReadonlySet<string>;
  /** By name: what its functions do when they are called, and what its value shares with others. */
  readonly latent: ReadonlyMap<string, Latent>;
  readonly frozen: boolean;
  readonly auto: boolean;
  readonly broken: boolean;
}

/** Methods of arrays that call their function at once and keep nothing of it. */
const CALLS_AT_ONCE =
  /^(forEach|map|filter|reduce|reduceRight|some|every|find|findIndex|findLast|findLastIndex|flatMap|sort|toSorted)$/;

export function factsOf(source: string): CellFacts {
  try {
    const { program } = parseTypeScript(source);
    const facts = new Walk(program).facts();
    const writes = new Set([...facts.uses.writes, ...declaredWrites(source)]);
    return { ...facts, uses: { ...facts.uses, writes }, ...directives(source) };
  } catch (error) {
    if (!(error instanceof CellSyntaxError)) throw error;
    const none: ReadonlySet<string> = new Set();
    const uses = { reads: none, writes: none };
    const facts = { defines: none, assigns: none, free: none, uses, consumes: none, latent: new Map() };
    return { ...facts, frozen: false, auto: false, broken: true };
  }
}

function directives(source: string): { frozen: boolean; auto: boolean; broken: boolean } {
  const said = source.includes("@") ? commentsOf(source).map((text) => text.trim()) : [];
  return { frozen: said.includes("@frozen"), auto: said.includes("@auto"), broken: false };
}

/** `// @writes a, b` */
function declaredWrites(source: string): string[] {
  if (!source.includes("@writes")) return [];
  return commentsOf(source).flatMap((text) => {
    const names = /^\s*@writes\s+(.*)$/.exec(text)?.[1];
    return names ? names.split(/[\s,]+/).filter(Boolean) : [];
  });
}

/** Where code stands: whom it belongs to, and whether it runs with the cell, later, or both. */
interface Context {
  /** Top-level names that the code's functions are bound to. */
  readonly owners: readonly string[];
  readonly immediate: boolean;
  readonly later: boolean;
}

/** A name a value may stem from: a top-level or free one as it is, a local one with a mark before it. */
type Root = string;
const LOCAL = "local ";

class Walk {
  readonly #program: Node;
  readonly #defines: Set<string>;
  readonly #assigns: Set<string>;
  readonly #free: Set<string>;
  /** The references that are to the cell's top level or to other cells. */
  readonly #top: Set<Node>;
  readonly #reads = new Set<string>();
  readonly #consumes = new Set<string>();
  /** Uses that show a value and look no further. */
  readonly #shown = new Set<Node>();
  readonly #writes = new Set<Root>();
  readonly #latent = new Map<string, { reads: Set<string>; writes: Set<Root>; aliases: Set<Root> }>();
  readonly #locals = new Map<string, Set<Root>>();

  constructor(program: Node) {
    this.#program = program;
    const { definitions, free, own } = analyse(program);
    this.#defines = new Set(definitions.map(({ name }) => name).filter((n) => !n.startsWith("_usingCtx")));
    this.#assigns = new Set(free.filter((r) => r.assigned).map((r) => r.node.name));
    this.#free = new Set(free.map((r) => r.node.name));
    this.#top = new Set<Node>([...free.map((r) => r.node), ...own]);
  }

  facts(): Omit<CellFacts, "frozen" | "auto" | "broken"> {
    const statements = children(this.#program, "body");
    const last = statements.at(-1);
    if (last?.type === "ExpressionStatement") this.#shown.add(unwrapped(child(last, "expression")!));
    for (const statement of statements) this.#statement(statement);
    const latent = new Map<string, Latent>();
    for (const [name, { reads, writes, aliases }] of this.#latent) {
      const found = { reads, writes: this.#resolved(writes), aliases: this.#resolved(aliases) };
      found.aliases.delete(name);
      if (reads.size + found.writes.size + found.aliases.size) latent.set(name, found);
    }
    return {
      defines: this.#defines,
      assigns: this.#assigns,
      free: this.#free,
      uses: { reads: this.#reads, writes: this.#resolved(this.#writes) },
      consumes: this.#consumes,
      latent,
    };
  }

  #statement(statement: Node): undefined {
    const context: Context = { owners: [], immediate: true, later: false };
    const declaration = unexported(statement);
    if (statement.type === "ImportDeclaration" || !declaration) return;
    const id = child(declaration, "id");
    if (declaration.type === "FunctionDeclaration" && isIdentifier(id))
      this.#inside(declaration, { owners: [id.name], immediate: false, later: true });
    else if (declaration.type === "ClassDeclaration" && isIdentifier(id))
      this.#class(declaration, { ...context, owners: [id.name] });
    else if (declaration.type === "VariableDeclaration") this.#declaration(declaration, context, true);
    else this.#walk(declaration, context);
  }

  /** @param kept Whether a function standing here is only stored, under the names of its owners. */
  #walk(node: Node, context: Context, kept = false): undefined {
    if (isFunction(node)) {
      const stored = kept && context.owners.length > 0;
      return this.#inside(node, { ...context, immediate: context.immediate && !stored, later: true });
    }
    switch (node.type) {
      case "Identifier":
        return this.#read(node as Identifier, context);
      case "VariableDeclaration":
        return this.#declaration(node, context, false);
      case "ClassDeclaration":
      case "ClassExpression":
        return this.#class(node, context);
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
        this.#walk(child(node, "object")!, context);
        if (node.computed) this.#walk(child(node, "property")!, context);
        return;
      case "MethodDefinition":
      case "PropertyDefinition":
        throw new Error("Members are walked with their class.");
      default:
        for (const part of descend(node)) this.#walk(part, context);
    }
  }

  #inside(node: Node, context: Context): undefined {
    for (const part of [...children(node, "params"), child(node, "body")!]) this.#walk(part, context);
  }

  #class(node: Node, context: Context): undefined {
    const superClass = child(node, "superClass");
    // What its methods do, calling one of the subclass may do.
    if (superClass) this.#walk(superClass, { ...context, later: true });
    for (const member of children(child(node, "body")!, "body")) {
      if (member.type === "StaticBlock") {
        for (const part of descend(member)) this.#walk(part, context);
        continue;
      }
      if (member.computed) this.#walk(child(member, "key")!, context);
      const value = child(member, "value");
      if (!value) continue;
      const runsNow = member.static === true && !isFunction(value);
      const later = { ...context, immediate: context.owners.length === 0 && context.immediate, later: true };
      this.#walk(value, runsNow ? context : later, true);
    }
  }

  #declaration(node: Node, context: Context, atTop: boolean): undefined {
    for (const declarator of children(node, "declarations")) {
      const id = child(declarator, "id")!;
      const init = child(declarator, "init");
      const names = patternNames(id).map(({ name }) => name);
      const own = (name: string) => this.#defines.has(name) && (atTop || node.kind === "var");
      const roots = init ? this.#roots(init) : [];
      for (const name of names) this.#alias(own(name) ? name : LOCAL + name, roots);
      this.#walk(id, context);
      if (init) this.#walk(init, owned(context, names.filter(own)), true);
    }
  }

  #assignment(node: Node, context: Context): undefined {
    const [left, right] = [child(node, "left")!, child(node, "right")!];
    const owners = this.#target(left, context, this.#roots(right));
    this.#walk(right, owned(context, owners), true);
  }

  #forEach(node: Node, context: Context): undefined {
    const [left, right] = [child(node, "left")!, child(node, "right")!];
    const roots = node.type === "ForOfStatement" ? this.#roots(right) : [];
    if (left.type === "VariableDeclaration") {
      const own = (name: string) => left.kind === "var" && this.#defines.has(name);
      for (const declarator of children(left, "declarations"))
        for (const { name } of patternNames(child(declarator, "id")))
          this.#alias(own(name) ? name : LOCAL + name, roots);
      for (const declarator of children(left, "declarations")) this.#walk(child(declarator, "id")!, context);
    } else this.#target(left, context, roots);
    this.#walk(right, context);
    this.#walk(child(node, "body")!, context);
  }

  #call(node: Node, context: Context): undefined {
    const callee = unwrapped(child(node, "callee")!);
    const method = callee.type === "MemberExpression" ? child(callee, "property") : undefined;
    const atOnce = isIdentifier(method) && !callee.computed && CALLS_AT_ONCE.test(method.name);
    const receiver = callee.type === "MemberExpression" ? this.#roots(child(callee, "object")!) : [];
    this.#walk(callee, context);
    if (isIdentifier(callee) && callee.name === "display")
      for (const argument of children(node, "arguments")) this.#shown.add(unwrapped(argument));
    for (const argument of children(node, "arguments")) {
      if (!isFunction(argument)) {
        this.#walk(argument, context);
        continue;
      }
      // The elements of an array that is walked are parts of it.
      for (const parameter of children(argument, "params"))
        for (const { name } of patternNames(parameter)) this.#alias(LOCAL + name, receiver);
      this.#inside(argument, atOnce ? context : { ...context, later: true });
    }
  }

  /** What is assigned, updated or deleted. Returns the top-level names that now hold the value. */
  #target(target: Node, context: Context, roots: readonly Root[] | undefined): string[] {
    const node = unwrapped(target);
    switch (node.type) {
      case "Identifier": {
        const { name } = node as Identifier;
        const top = this.#top.has(node);
        if (roots) this.#alias(top ? name : LOCAL + name, roots);
        if (!top) return [];
        if (context.later) for (const owner of context.owners) this.#of(owner).writes.add(name);
        return [name];
      }
      case "MemberExpression": {
        this.#walk(node, context);
        const changed = this.#roots(child(node, "object")!);
        for (const root of changed) {
          if (context.immediate) this.#writes.add(root);
          if (context.later) for (const owner of context.owners) this.#of(owner).writes.add(root);
          if (roots) this.#alias(root, roots);
        }
        return changed.filter((root) => !root.startsWith(LOCAL));
      }
      case "ObjectPattern":
        return children(node, "properties").flatMap((property) => {
          if (property.computed) this.#walk(child(property, "key")!, context);
          const inner = child(property, property.type === "RestElement" ? "argument" : "value")!;
          return this.#target(inner, context, roots);
        });
      case "ArrayPattern":
        return children(node, "elements").flatMap((element) => this.#target(element, context, roots));
      case "AssignmentPattern":
        this.#walk(child(node, "right")!, context);
        return this.#target(child(node, "left")!, context, roots);
      case "RestElement":
        return this.#target(child(node, "argument")!, context, roots);
      default:
        this.#walk(node, context);
        return [];
    }
  }

  #read(node: Identifier, context: Context): undefined {
    if (!this.#top.has(node)) return;
    if (context.immediate) this.#reads.add(node.name);
    if (context.immediate && this.#defines.has(node.name) && !this.#shown.has(node))
      this.#consumes.add(node.name);
    if (context.later) for (const owner of context.owners) this.#of(owner).reads.add(node.name);
  }

  /** The names whose value this expression's value may be, or be part of, or contain. Calls of functions end the trail. */
  #roots(expression: Node): Root[] {
    const node = unwrapped(expression);
    switch (node.type) {
      case "Identifier":
        return [this.#top.has(node) ? (node as Identifier).name : LOCAL + (node as Identifier).name];
      case "MemberExpression":
        return this.#roots(child(node, "object")!);
      case "CallExpression": {
        const callee = unwrapped(child(node, "callee")!);
        return callee.type === "MemberExpression" ? this.#roots(child(callee, "object")!) : [];
      }
      case "AwaitExpression":
      case "SpreadElement":
        return this.#roots(child(node, "argument")!);
      case "AssignmentExpression":
        return this.#roots(child(node, "right")!);
      case "Property":
        return this.#roots(child(node, "value")!);
      case "ConditionalExpression":
        return ["consequent", "alternate"].flatMap((field) => this.#roots(child(node, field)!));
      case "LogicalExpression":
        return ["left", "right"].flatMap((field) => this.#roots(child(node, field)!));
      case "SequenceExpression":
        return this.#roots(children(node, "expressions").at(-1)!);
      case "ObjectExpression":
        return children(node, "properties").flatMap((property) => this.#roots(property));
      case "ArrayExpression":
        return children(node, "elements").flatMap((element) => this.#roots(element));
      default:
        return [];
    }
  }

  #alias(name: Root, roots: readonly Root[]): undefined {
    if (roots.length === 0) return;
    let known: Set<Root>;
    if (name.startsWith(LOCAL)) {
      known = this.#locals.get(name) ?? new Set();
      this.#locals.set(name, known);
    } else known = this.#of(name).aliases;
    for (const root of roots) known.add(root);
  }

  #of(name: string) {
    let latent = this.#latent.get(name);
    if (!latent) {
      latent = { reads: new Set(), writes: new Set(), aliases: new Set() };
      this.#latent.set(name, latent);
    }
    return latent;
  }

  /** Local names replaced by the top-level and free names they may stand for. */
  #resolved(roots: ReadonlySet<Root>): Set<string> {
    const found = new Set<string>();
    const seen = new Set<Root>();
    const waiting = [...roots];
    for (let root = waiting.pop(); root !== undefined; root = waiting.pop()) {
      if (seen.has(root)) continue;
      seen.add(root);
      if (root.startsWith(LOCAL)) waiting.push(...(this.#locals.get(root) ?? []));
      else found.add(root);
    }
    return found;
  }
}

function owned(context: Context, names: readonly string[]): Context {
  return names.length ? { ...context, owners: [...new Set([...context.owners, ...names])] } : context;
}

/** Without parentheses, optional chaining and what is left of type assertions. */
function unwrapped(node: Node): Node {
  if (node.type === "ParenthesizedExpression" || node.type === "ChainExpression")
    return unwrapped(child(node, "expression")!);
  return node;
}
