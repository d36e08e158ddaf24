// What one cell's text says of names: what it defines, reads and writes when it runs, and what calling or changing what it
// defines does later. Pure: the same text gives the same facts; never looks at other cells.
//
// A member write (`a.b = 1`, `a[i]++`, `delete a.b`) writes the name at its root, also through a local name that stands for
// part of the value. Where code might run or might not, it counts as run. What a method does inside cannot be seen.

import { CellSyntaxError, commentsOf, parseTypeScript } from "../compile/parse.ts";
import { Walk } from "./walk.ts";

/** How much of a value a write changes: which value the name has, a member of the value, or something further inside. */
export type Depth = 0 | 1 | 2;

/** Names of this cell's top level or free names, never local ones. */
export interface Uses {
  readonly reads: ReadonlySet<string>;
  readonly writes: ReadonlyMap<string, Depth>;
}

export interface Latent extends Uses {
  /** Names whose value this one's value may be, or be part of, or hand out when it is called. */
  readonly aliases: ReadonlySet<string>;
  /** Names whose value this one's value may contain. */
  readonly contains: ReadonlySet<string>;
}

export interface CellFacts {
  readonly defines: ReadonlySet<string>;
  /** Free names that are assigned: where a cell above defines one, this cell has a binding of its own that starts with it. */
  readonly assigns: ReadonlySet<string>;
  /** Every free name. */
  readonly free: ReadonlySet<string>;
  /** What running the cell does. */
  readonly uses: Uses;
  /** Own names of functions and of what was imported: what they hand out, and others change, is not part of them. */
  readonly makers: ReadonlySet<string>;
  /** Own names that the cell reads itself, other than to show them. */
  readonly consumes: ReadonlySet<string>;
  /** By name: what its functions do when they are called, and what its value shares with others. */
  readonly latent: ReadonlyMap<string, Latent>;
  /** The same of what is put into parts of a name's value: whoever shares that value has it too. */
  readonly stored: ReadonlyMap<string, Latent>;
  readonly frozen: boolean;
  readonly auto: boolean;
  readonly broken: boolean;
}

const NONE: ReadonlySet<string> = new Set();
const BROKEN: CellFacts = {
  defines: NONE,
  assigns: NONE,
  free: NONE,
  uses: { reads: NONE, writes: new Map() },
  makers: NONE,
  consumes: NONE,
  latent: new Map(),
  stored: new Map(),
  frozen: false,
  auto: false,
  broken: true,
};

/** Nobody writes such a cell by hand, and to read it would keep the kernel from everything else. */
const MOST_CHARACTERS = 1_000_000;

/** A text that is broken, or longer than a million characters, says nothing. */
export function factsOf(source: string): CellFacts {
  if (source.length > MOST_CHARACTERS) return BROKEN;
  try {
    const facts = new Walk(parseTypeScript(source).program).facts();
    const said = source.includes("@") ? commentsOf(source).map((text) => text.trim()) : [];
    const writes = new Map(facts.uses.writes);
    for (const name of said.flatMap(declaredWrites)) writes.set(name, 2);
    return {
      ...facts,
      uses: { ...facts.uses, writes },
      frozen: said.includes("@frozen"),
      auto: said.includes("@auto"),
      broken: false,
    };
  } catch (error) {
    if (error instanceof CellSyntaxError) return BROKEN;
    throw error;
  }
}

/** `// @writes a, b` */
function declaredWrites(comment: string): string[] {
  const names = /^@writes\s+(.*)$/.exec(comment)?.[1];
  return names ? names.split(/[\s,]+/).filter(Boolean) : [];
}

/** The names whose values one of the cell's names holds or uses, itself left out. */
export function heldBy(name: string, { latent, stored }: CellFacts): Set<string> {
  const found = new Set<string>();
  const waiting = [name];
  for (let held = waiting.pop(); held !== undefined; held = waiting.pop())
    for (const facts of [latent.get(held), stored.get(held)])
      for (const other of [...(facts?.aliases ?? []), ...(facts?.contains ?? []), ...(facts?.reads ?? [])])
        if (!found.has(other) && other !== name) {
          found.add(other);
          waiting.push(other);
        }
  return found;
}
