// What can be said of a value without running its code: its type in a word, a short text, its members' names.
// Relies on property descriptors. Never calls a getter, a proxy's trap or a custom inspection; a library's own values are
// asked for their measures by a method made for that.

import { inspect, types } from "node:util";

const MAX_MEMBERS = 400;

type Reference = object | ((...args: never[]) => unknown);

function isReference(value: unknown): value is Reference {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** A data property's value, own or inherited; undefined for accessors and absent ones. */
export function peek(value: unknown, name: string | symbol): { value: unknown } | undefined {
  for (let holder = boxed(value); holder; holder = Object.getPrototypeOf(holder) as Reference | null) {
    if (types.isProxy(holder)) return undefined;
    const descriptor = safely(() => Object.getOwnPropertyDescriptor(holder, name));
    if (descriptor) return "value" in descriptor ? { value: descriptor.value } : undefined;
  }
  return undefined;
}

/** What a value measures, as far as it says: a library's own values tell it through `Symbol.for("lensor.facts")`. */
export interface Measures {
  readonly type?: string;
  readonly shape?: readonly number[];
  /** What its memory holds. */
  readonly bytes?: number;
  readonly device?: string;
}

const FACTS = Symbol.for("lensor.facts");

export function measures(value: unknown): Measures {
  if (typeof value !== "object" || value === null || types.isProxy(value)) return {};
  if (types.isTypedArray(value)) return { shape: [value.length], bytes: value.byteLength };
  if (types.isAnyArrayBuffer(value)) return { bytes: value.byteLength };
  if (Array.isArray(value)) return { shape: [value.length] };
  if (types.isMap(value) || types.isSet(value)) return { shape: [value.size] };
  const tell = peek(value, FACTS)?.value;
  const told = typeof tell === "function" ? safely(() => (tell as () => unknown).call(value)) : undefined;
  if (typeof told !== "object" || told === null) return {};
  const { type, shape, bytes, device } = told as Measures;
  return {
    ...(typeof type === "string" && { type: type.slice(0, 100) }),
    ...(Array.isArray(shape) && shape.every(Number.isSafeInteger) && { shape: shape.slice(0, 16) }),
    ...(Number.isSafeInteger(bytes) && { bytes }),
    ...(typeof device === "string" && { device: device.slice(0, 100) }),
  };
}

/** Names that may follow a dot after this value, nearest first. */
export function memberNames(value: unknown): string[] {
  const names = new Set<string>();
  let holder = boxed(value);
  while (holder && names.size < MAX_MEMBERS && !types.isProxy(holder)) {
    const isRoot = holder === Object.prototype && names.size > 0;
    const own =
      types.isTypedArray(holder) || Array.isArray(holder)
        ? []
        : (safely(() => Object.getOwnPropertyNames(holder!)) ?? []);
    for (const name of own) {
      if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) && !(isRoot && name.startsWith("__")))
        names.add(name);
      if (names.size >= MAX_MEMBERS) break;
    }
    holder = Object.getPrototypeOf(holder) as Reference | null;
  }
  return [...names];
}

/** The prototype chain's start for any value: primitives answer as their wrapper's prototype. */
function boxed(value: unknown): Reference | null {
  if (value === null || value === undefined) return null;
  return isReference(value) ? value : (Object.getPrototypeOf(Object(value)) as Reference);
}

export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "function")
    return /^class\b/.test(sourceOf(value as () => void)) ? "class" : "function";
  if (typeof value !== "object") return typeof value;
  if (types.isProxy(value)) return "Proxy";
  if (types.isModuleNamespaceObject(value)) return "module";
  const maker = peek(value, "constructor")?.value;
  const name = typeof maker === "function" ? peek(maker, "name")?.value : undefined;
  const kind = typeof name === "string" && name ? name : "object";
  if (Array.isArray(value) || types.isTypedArray(value)) return `${kind}(${(value as unknown[]).length})`;
  if (value instanceof Map || value instanceof Set) return `${kind}(${value.size})`;
  return kind;
}

/** One or a few lines that remind a person what the value is. */
export function previewText(value: unknown, limit = 400): string {
  if (typeof value === "function") return signatureOf(value as () => void);
  const text =
    safely(() =>
      inspect(value, {
        depth: 1,
        customInspect: false,
        maxArrayLength: 6,
        maxStringLength: 200,
        breakLength: 80,
      }),
    ) ?? "";
  return text.length > limit ? `${text.slice(0, limit)} …` : text;
}

/** `function name(a, b = 1)` or `class Name extends Base`, from the function's own source. */
export function signatureOf(f: (...args: never[]) => unknown): string {
  const source = sourceOf(f);
  if (/^class\b/.test(source)) return source.slice(0, source.indexOf("{")).trim();
  const name = String(peek(f, "name")?.value ?? "");
  const parameters = parameterList(source);
  return `${/^async\b/.test(source) ? "async " : ""}function ${name}${parameters}`;
}

function parameterList(source: string): string {
  const single = /^(?:async\s+)?([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=>/u.exec(source);
  if (single) return `(${single[1]})`;
  const start = source.indexOf("(");
  let depth = 0;
  for (let i = start; i >= 0 && i < Math.min(source.length, 2000); i++) {
    if (source[i] === "(") depth++;
    if (source[i] === ")" && --depth === 0) return source.slice(start, i + 1).replace(/\s+/g, " ");
  }
  return "(…)";
}

function sourceOf(f: (...args: never[]) => unknown): string {
  return safely(() => Function.prototype.toString.call(f)) ?? "";
}

function safely<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
