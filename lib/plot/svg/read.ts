// What a figure's JSON says, read with suspicion: specs come from notebooks and from strangers. Whatever is not of the kind that
// is asked for counts as not said. Never passes a string on as a colour or a font that it does not know the form of.

export type Json = Record<string, unknown>;

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

export const record = (value: unknown): Json => (isRecord(value) ? value : {});

export const records = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isRecord) : []);

/** Arrays, and typed arrays as arrays. */
export function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as unknown as ArrayLike<number>)
    : [];
}

/** Beyond this, sums and squares of numbers leave what numbers can be. */
const MOST = 1e150;

/** NaN for what is no number; Plotly takes text that reads as one for one. */
export function number(value: unknown): number {
  const isSaid = typeof value === "string" ? value.trim() !== "" : typeof value === "bigint";
  const one = typeof value === "number" ? value : isSaid ? Number(value) : Number.NaN;
  return Math.abs(one) <= MOST ? one : Number.NaN;
}

export function numberOr(value: unknown, otherwise: number): number {
  const one = number(value);
  return Number.isNaN(one) ? otherwise : one;
}

export const within = (value: number, least: number, most: number) => Math.min(most, Math.max(least, value));

/** Text as Plotly would show it; "" for what has none. */
export function words(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : "";
}

/** `{ text }` or the text itself. */
export const titled = (value: unknown): string => words(isRecord(value) ? value.text : value);

/** The i-th of a list, or the one value for all. */
export function each(value: unknown, i: number): unknown {
  return Array.isArray(value) || ArrayBuffer.isView(value) ? (value as unknown as unknown[])[i] : value;
}

const COLOUR = /^(#[0-9a-f]{3,8}|(rgb|hsl)a?\([\d\s.,%/+-]{1,60}\)|[a-z]{3,24})$/i;

/** A colour in one of CSS's plain forms, else the other one. */
export function colour(value: unknown, otherwise: string): string {
  return typeof value === "string" && COLOUR.test(value.trim()) ? value.trim() : otherwise;
}

/** Objects key by key and deep; everything else, arrays too, is replaced. Nothing that was given changes. */
export function merged(base: Json, over: Json): Json {
  const out: Json = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = out[key];
    out[key] = isRecord(old) && isRecord(value) ? merged(old, value) : value;
  }
  return out;
}
