// What a front end says over `lensor.notebook`, checked: a notebook's page may be anybody's. Pure; what cannot be read is
// undefined, and is passed over.

import type { Document, Mode, ToKernel, TypesMode } from "../labextension/src/messages.ts";

/** More cells than this are no notebook. */
const MOST_CELLS = 20_000;
const LONGEST_ID = 256;

export interface Known {
  readonly order: readonly string[];
  readonly sources: Readonly<Record<string, string>>;
}

type Json = Readonly<Record<string, unknown>>;

export function documentOf(data: Json): Known | undefined {
  const order = cellsOf(data.order);
  const { sources } = data;
  if (!order || typeof sources !== "object" || sources === null || Array.isArray(sources)) return undefined;
  const texts = Object.entries(sources as Json);
  if (!texts.every(([, text]) => typeof text === "string")) return undefined;
  const listed = new Set(order);
  const known = texts.filter(([id]) => listed.has(id));
  return { order: [...listed], sources: Object.fromEntries(known) as Document["sources"] };
}

export function modeOf(mode: unknown): Mode | undefined {
  return mode === "auto" || mode === "lazy" || mode === "off" ? mode : undefined;
}

export function typesOf(types: unknown): TypesMode | undefined {
  return types === "show" || types === "block" || types === "off" ? types : undefined;
}

export function requestOf(data: Json): ToKernel | undefined {
  switch (data.type) {
    case "document": {
      const document = documentOf(data);
      return document && { type: "document", ...document };
    }
    case "mode": {
      const mode = modeOf(data.mode);
      return mode && { type: "mode", mode };
    }
    case "types": {
      const types = typesOf(data.types);
      return types || data.types == null ? { type: "types", types } : undefined;
    }
    case "run": {
      const cells = cellsOf(data.cells);
      const { request } = data;
      if (!cells || typeof request !== "number" || !Number.isSafeInteger(request)) return undefined;
      return { type: "run", request, cells, stale: data.stale === true };
    }
    case "declined":
      return typeof data.cell === "string" ? { type: "declined", cell: data.cell } : undefined;
    case "watch":
      return { type: "watch", graph: data.graph === true, variables: data.variables === true };
    default:
      return undefined;
  }
}

function cellsOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length > MOST_CELLS) return undefined;
  return value.every((id) => typeof id === "string" && id.length <= LONGEST_ID)
    ? (value as string[])
    : undefined;
}
