// What an input is, as plain data, and which values a front end may give it. Host and child both check by these rules:
// the host before it believes a message, the child before the person's code can see a value.
// Relies on nothing. Never changes what it checks.

/** The values that a key of a widget's state may take. Numbers are always finite. */
export type Rule =
  | { readonly type: "number"; readonly min?: number; readonly max?: number; readonly whole?: boolean }
  | { readonly type: "pair"; readonly min: number; readonly max: number; readonly whole?: boolean }
  | { readonly type: "boolean" }
  /** At most so many UTF-16 units. */
  | { readonly type: "text"; readonly most: number }
  | { readonly type: "colour" }
  /** The index of one of so many options. */
  | { readonly type: "choice"; readonly count: number }
  | { readonly type: "choices"; readonly count: number }
  /** A day, or none; `min` and `max` as `2026-10-04`. */
  | { readonly type: "date"; readonly min?: string; readonly max?: string }
  /** At most so many files of so many bytes together. */
  | { readonly type: "files"; readonly most: number; readonly bytes: number }
  /** How often a button was clicked: no state of its widget, which only tells of each click. */
  | { readonly type: "clicks" }
  /** What the page keeps for itself, whether it is playing for instance: neither kept nor told to others. */
  | { readonly type: "page" };

/** One widget of an input. An input of several shows them side by side, and they share its value. */
export interface Part {
  /** The widget's state, but for its layout and style. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly style: Readonly<Record<string, unknown>>;
  readonly layout: Readonly<Record<string, unknown>>;
  /** What a front end may set besides the value. */
  readonly rules: Readonly<Record<string, Rule>>;
}

export interface Definition {
  readonly kind: string;
  readonly label: string;
  /** Where the widgets' state has the value: `value` or `index`. */
  readonly key: string;
  readonly value: unknown;
  readonly rule: Rule;
  readonly parts: readonly Part[];
}

/** A notebook that has more at once has gone wrong, and so would the page that shows them. */
export const MOST_INPUTS = 1000;

/** A file as it comes from a page; its bytes travel to the child as base64. */
export interface FileRecord {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly last_modified: number;
}

export interface Day {
  readonly year: number;
  /** From 0, as JavaScript counts. */
  readonly month: number;
  readonly date: number;
}

const COLOUR = /^(#([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]{3,24})$/i;
const NAME_LENGTH = 1000;
const MOST_PARTS = 8;
const RULES = new Set("number pair boolean text colour choice choices date files clicks page".split(" "));

/** Whether a value that came from outside keeps a rule. */
export function keeps(rule: Rule, value: unknown): boolean {
  switch (rule.type) {
    case "number":
      return isNumber(value, rule);
    case "pair":
      return (
        Array.isArray(value) &&
        value.length === 2 &&
        isNumber(value[0], rule) &&
        isNumber(value[1], rule) &&
        value[0] <= value[1]
      );
    case "boolean":
      return typeof value === "boolean";
    case "text":
      return typeof value === "string" && value.length <= rule.most;
    case "colour":
      return typeof value === "string" && COLOUR.test(value);
    case "choice":
      return isIndex(value, rule.count);
    case "choices":
      return (
        Array.isArray(value) &&
        value.length <= rule.count &&
        // A hole is no choice: \`every\` would pass over it.
        Array.from(value as unknown[]).every((index) => isIndex(index, rule.count)) &&
        new Set(value).size === value.length
      );
    case "date":
      return value === null || isDay(value, rule);
    case "files":
      return isFiles(value, rule);
    case "clicks":
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case "page":
      return true;
  }
}

/** Whether something is a definition: code can reach the seam past the library, and say anything. */
export function isDefinition(value: unknown): value is Definition {
  if (!isRecord(value)) return false;
  const { kind, label, key, rule, parts } = value;
  return (
    [kind, label, key].every((text) => typeof text === "string") &&
    isRule(rule) &&
    keeps(rule, value.value) &&
    Array.isArray(parts) &&
    parts.length > 0 &&
    parts.length <= MOST_PARTS &&
    parts.every(isPart)
  );
}

function isPart(value: unknown): value is Part {
  if (!isRecord(value)) return false;
  const { model, style, layout, rules } = value;
  return [model, style, layout, rules].every(isRecord) && Object.values(rules as object).every(isRule);
}

function isRule(value: unknown): value is Rule {
  return isRecord(value) && typeof value.type === "string" && RULES.has(value.type);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown, { min, max, whole }: { min?: number; max?: number; whole?: boolean }) {
  return (
    typeof value === "number" &&
    Number.isFinite(value) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (!whole || Number.isSafeInteger(value))
  );
}

function isIndex(value: unknown, count: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < count;
}

function isDay(value: unknown, { min, max }: { min?: string; max?: string }): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { year, month, date } = value as Partial<Day>;
  if (![year, month, date].every(Number.isInteger) || year! < 0 || year! > 9999) return false;
  const day = new Date(0);
  day.setUTCFullYear(year!, month, date);
  // The 31st of April would be the 1st of May.
  if (day.getUTCMonth() !== month || day.getUTCDate() !== date) return false;
  const text = day.toISOString().slice(0, 10);
  return (min === undefined || text >= min) && (max === undefined || text <= max);
}

function isFiles(value: unknown, { most, bytes }: { most: number; bytes: number }): boolean {
  if (!Array.isArray(value) || value.length > most) return false;
  let total = 0;
  for (const file of value as Partial<FileRecord>[]) {
    if (typeof file !== "object" || file === null) return false;
    const { name, type, size } = file;
    if (typeof name !== "string" || name.length > NAME_LENGTH) return false;
    if (typeof type !== "string" || type.length > NAME_LENGTH) return false;
    if (!Number.isSafeInteger(size) || size! < 0) return false;
    total += size!;
  }
  return total <= bytes;
}
