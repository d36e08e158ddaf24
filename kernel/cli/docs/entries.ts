// The reference as a list of entries: every name that the library exports, and the types that those speak of, each with its page
// and anchor. Decides what stands where; writes nothing.

import { KINDS, membersOf, type Reflection, signaturesOf, type Type } from "./reflections.ts";
import { pageOf, type Stage, stageOf, stages } from "./stages.ts";

export type EntryKind = "function" | "value" | "class" | "interface" | "type";

export interface Entry {
  readonly reflection: Reflection;
  readonly name: string;
  readonly kind: EntryKind;
  readonly stage: Stage;
  /** Whether `import { name } from "lensor"` gives it; else only other entries speak of it. */
  readonly exported: boolean;
  readonly page: string;
  readonly anchor: string;
  readonly source: string;
}

/** Where a reflection is told of. */
export interface Place {
  readonly page: string;
  readonly anchor: string;
}

export interface Reference {
  readonly entries: readonly Entry[];
  /** By TypeDoc's number: entries and their members. */
  readonly places: ReadonlyMap<number, Place>;
  /** Options that are told of where they are given: by the number of the call's signature. */
  readonly nested: ReadonlyMap<number, readonly Entry[]>;
  /** Those, by their own number: they have no place of their own. */
  readonly isNested: ReadonlySet<number>;
  /** An exported entry by its name. */
  readonly named: ReadonlyMap<string, Entry>;
}

const KIND_OF: Record<number, EntryKind> = {
  [KINDS.variable]: "value",
  [KINDS.function]: "function",
  [KINDS.class]: "class",
  [KINDS.interface]: "interface",
  [KINDS.alias]: "type",
};

/** @param project TypeDoc's JSON of the whole library */
export function referenceOf(project: Reflection): Reference {
  const taken = new Set<string>();
  const entries: Entry[] = [];
  const add = (reflection: Reflection, exported: boolean): void => {
    const kind = KIND_OF[reflection.kind];
    const source = reflection.sources?.[0];
    if (!kind || !source)
      throw new Error(
        `The reference has no form for ${reflection.name} (TypeDoc's kind ${reflection.kind}).`,
      );
    const stage = stageOf(source.fileName);
    const own = kind === "class" && exported;
    const page = own ? pageOf(stage).replace("index.html", `${reflection.name}.html`) : pageOf(stage);
    let anchor = reflection.name;
    for (let i = 2; taken.has(`${page}#${anchor}`); i++) anchor = `${reflection.name}-${i}`;
    taken.add(`${page}#${anchor}`);
    const file = `lib/${source.fileName.replace(/^(.*\/)?lib\//, "")}`;
    const { name } = reflection;
    entries.push({ reflection, name, kind, stage, exported, page, anchor, source: `${file}:${source.line}` });
  };
  const all = project.children ?? [];
  const inner = (kind: number) => kind === KINDS.module || kind === KINDS.namespace;
  for (const reflection of all) if (!inner(reflection.kind)) add(reflection, true);
  // What is not exported, TypeDoc's plugin puts into a module of its own.
  for (const reflection of all)
    if (inner(reflection.kind)) for (const child of reflection.children ?? []) add(child, false);
  const { nested, isNested } = nestedIn(entries);
  return {
    entries,
    nested,
    isNested,
    places: placesOf(entries),
    named: new Map(entries.filter(({ exported }) => exported).map((entry) => [entry.name, entry])),
  };
}

/** The stages that have something to tell of, in order. */
export const stagesOf = ({ entries }: Reference): Stage[] =>
  stages.filter((stage) => entries.some((entry) => entry.stage === stage));

/** The anchor of a member. A class may have one name twice: of itself, and of each of its values. */
export const memberAnchor = ({ anchor, kind }: Entry, { name, flags }: Reflection): string =>
  `${anchor}.${kind === "class" && flags.isStatic ? "static." : ""}${name}`;

function placesOf(entries: readonly Entry[]): Map<number, Place> {
  const places = new Map<number, Place>();
  for (const entry of entries) {
    const { page, anchor, reflection } = entry;
    places.set(reflection.id, { page, anchor });
    for (const signature of signaturesOf(reflection)) places.set(signature.id, { page, anchor });
    for (const member of membersOf(reflection)) {
      const place = { page, anchor: memberAnchor(entry, member) };
      for (const { id } of [member, ...signaturesOf(member)]) places.set(id, place);
    }
  }
  return places;
}

/** Each interface of options goes to the first call of its page that takes it: there it is looked for. */
function nestedIn(entries: readonly Entry[]) {
  const nested = new Map<number, Entry[]>();
  const isNested = new Set<number>();
  const interfaces = new Map(
    entries
      .filter(({ kind, name }) => kind === "interface" && name.endsWith("Options"))
      .map((entry) => [entry.reflection.id, entry] as const),
  );
  for (const { kind, reflection, page } of entries) {
    if (kind !== "function" && kind !== "value") continue;
    for (const one of [reflection, ...membersOf(reflection)])
      for (const signature of signaturesOf(one))
        for (const parameter of signature.parameters ?? [])
          for (const id of referred(parameter.type)) {
            const options = interfaces.get(id);
            if (!options || options.page !== page || isNested.has(id)) continue;
            isNested.add(id);
            nested.set(signature.id, [...(nested.get(signature.id) ?? []), options]);
          }
  }
  return { nested, isNested };
}

/** The entries that a parameter's type names: itself, or what it joins. */
function referred(type: Type | undefined): number[] {
  if (type?.type === "reference" && typeof type.target === "number") return [type.target];
  if (type?.type === "intersection" || type?.type === "union") return (type.types ?? []).flatMap(referred);
  return [];
}
