// Messages from the kernel as the extension takes them: the known ones with every field checked, everything else nothing.
// Pure. Long texts are cut, since they go into tooltips and lists; nothing here is ever taken for HTML, and for code only an import of one line.

import type { Edge, GraphCell, Mark, Planned, State, ToFrontend, Variable } from "./messages.ts";

const MOST = 20_000;
const LONGEST = 400;

type Json = Record<string, unknown>;
type Reader<T> = (value: unknown) => T | undefined;

/** The message, or nothing where it is not one that this extension knows. */
export function incoming(data: unknown): ToFrontend | undefined {
  if (!isRecord(data)) return undefined;
  switch (data.type) {
    case "plan": {
      const { request } = data;
      const cells = ids(data.cells);
      return number(request) !== undefined && cells
        ? { type: "plan", request: request as number, cells }
        : undefined;
    }
    case "execute":
      return typeof data.cell === "string" ? { type: "execute", cell: data.cell } : undefined;
    case "marks": {
      if (!isRecord(data.marks)) return undefined;
      const marks = Object.entries(data.marks)
        .slice(0, MOST)
        .flatMap(([cell, value]) => {
          const read = mark(value);
          return read ? [[cell, read] as const] : [];
        });
      const plan = data.plan === null ? null : planned(data.plan);
      return { type: "marks", marks: Object.fromEntries(marks), ...(plan === undefined ? {} : { plan }) };
    }
    case "graph": {
      const cells = list(data.cells, graphCell);
      const edges = list(data.edges, edge);
      return cells && edges ? { type: "graph", cells, edges } : undefined;
    }
    case "variables": {
      const variables = list(data.variables, variable);
      return variables ? { type: "variables", variables } : undefined;
    }
    case "imports": {
      if (!isRecord(data.imports)) return undefined;
      // They go into a cell's text: one line, and nothing but an import.
      const statements = Object.entries(data.imports).filter(
        (entry): entry is [string, string] =>
          typeof entry[1] === "string" && /^import [^\n;]{1,400};$/.test(entry[1]),
      );
      return { type: "imports", imports: Object.fromEntries(statements.slice(0, MOST)) };
    }
    case "lost": {
      const cells = ids(data.cells);
      return cells ? { type: "lost", message: text(data.message) ?? "", cells } : undefined;
    }
    default:
      return undefined;
  }
}

const states: readonly State[] = ["new", "fresh", "stale", "queued", "running", "error"];

const mark: Reader<Mark> = (value) => {
  if (!isRecord(value)) return undefined;
  const state = states.find((known) => known === value.state);
  if (!state) return undefined;
  return { state, frozen: value.frozen === true, why: text(value.why) ?? "", ...seconds(value) };
};

const planned: Reader<Planned> = (value) => {
  const cells = isRecord(value) ? ids(value.cells) : undefined;
  return cells && { cells, ...seconds(value as Json) };
};

const graphCell: Reader<GraphCell> = (value) => {
  if (!isRecord(value) || typeof value.id !== "string") return undefined;
  const count = number(value.count);
  return {
    id: value.id,
    title: text(value.title) ?? "",
    defines: list(value.defines, text) ?? [],
    ...(count === undefined ? {} : { count }),
  };
};

const edge: Reader<Edge> = (value) =>
  isRecord(value) && typeof value.from === "string" && typeof value.to === "string"
    ? { from: value.from, to: value.to, names: list(value.names, text) ?? [] }
    : undefined;

const variable: Reader<Variable> = (value) => {
  if (!isRecord(value)) return undefined;
  const name = text(value.name);
  if (name === undefined || typeof value.cell !== "string") return undefined;
  const bytes = number(value.bytes);
  const shape = list(value.shape, number);
  const device = text(value.device);
  return {
    name,
    cell: value.cell,
    type: text(value.type) ?? "",
    text: text(value.text) ?? "",
    ...(shape && { shape }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(device === undefined ? {} : { device }),
  };
};

function seconds(value: Json): { seconds?: number } {
  const taken = number(value.seconds);
  return taken !== undefined && taken >= 0 ? { seconds: taken } : {};
}

/** What is not of its kind is left out of a list. */
function list<T>(value: unknown, read: Reader<T>): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.slice(0, MOST).flatMap((item) => {
    const known = read(item);
    return known === undefined ? [] : [known];
  });
}

/** Cells' names are compared and never shown, so they are not cut. */
const ids = (value: unknown) => list(value, (item) => (typeof item === "string" ? item : undefined));

function text(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  return value.length > LONGEST ? `${value.slice(0, LONGEST - 1)}…` : value;
}

const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
