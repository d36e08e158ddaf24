// The child's side of inputs: which cell made which, what value holds, and who has to hear that it changed.
// Relies on the run whose code is calling and on the host's mirror for the pages. An input outlives its cell's next run when
// that makes the same again. Never lets a value in that breaks the input's rules.

import { randomUUID } from "node:crypto";
import { isAnyArrayBuffer, isMap, isProxy, isSet, isTypedArray } from "node:util/types";
import { type Definition, isDefinition, keeps, MOST_INPUTS } from "./accept.ts";
import { Buffer, clearTimeout, performance, setTimeout, stringify } from "./intrinsics.ts";
import { emit } from "./link.ts";
import { type Binding, isUnnamed } from "./namespace.ts";
import { currentRun, type Run } from "./run.ts";
import type { WidgetCommand } from "./widgets.ts";

/** A library's hold on an input: its value as the widget's state has it, of files with their `bytes`. */
export interface InputHandle {
  /** The id of the widget to show. */
  readonly id: string;
  get(): unknown;
  /** @throws RangeError for a value that breaks the input's rule: whoever asks checks first, in the person's words. */
  set(value: unknown): void;
}

interface Input {
  readonly id: string;
  readonly cell: string;
  readonly definition: Definition;
  value: unknown;
  /** The latest run that made it. */
  run: number;
  /** When its value was last told, and the timer that is going to tell the next. */
  told: number;
  timer?: NodeJS.Timeout;
}

const MOST_CHARACTERS = 4_000_000;
/** A loop that sets an input is shown at this pace. */
const PACE_MS = 16;
/** How far into a cell's values an input is looked for. */
const DEPTH = 5;
const BREADTH = 1000;
const MOST_PARTS = 2000;

// Taken before any cell can replace them.
const mapEntries = Map.prototype.entries;
const setValues = Set.prototype.values;

export class Inputs {
  /** The names that a cell defines. */
  bindings: (cell: string) => Iterable<[string, Binding]> = () => [];
  readonly #byId = new Map<string, Input>();
  /** Those a cell has, in the order of its making them, by definition. */
  readonly #byCell = new Map<string, Map<string, Input[]>>();
  readonly #counts = new WeakMap<Run, Map<string, number>>();
  readonly #owners = new WeakMap<object, Input>();

  /**
   * Opens an input, or takes up the one that the cell's last run made of the same definition.
   * @param owner The object that a cell's names hold.
   */
  open(definition: Definition, owner: object): InputHandle {
    if (!isDefinition(definition)) throw new TypeError("An input needs a definition: see InputDefinition.");
    const text = stringify(definition);
    if (text.length > MOST_CHARACTERS)
      throw new RangeError(
        `The input ${stringify(definition.label)} is too large: its options have to fit in 4 MB.`,
      );
    const input = this.#find(definition, text);
    this.#owners.set(owner, input);
    return { id: input.id, get: () => input.value, set: (value) => this.#set(input, value) };
  }

  /** A value from a page. */
  take({ id, ...change }: WidgetCommand): void {
    const input = this.#byId.get(id);
    if (!input) return;
    if (!("value" in change)) {
      this.#forget(input);
      return;
    }
    const { rule } = input.definition;
    if (keeps(rule, change.value)) this.#change(input, withBytes(change));
    emit({ event: "widget-took", id, ...(rule.type === "files" ? {} : { value: input.value }) });
  }

  /** A run is over. One that ended well has made what its cell has: other inputs of the cell are closed. */
  endRun(cell: string, run: number, well: boolean): void {
    for (const input of this.#byId.values()) if (input.timer) this.#tell(input);
    if (well && !isUnnamed(cell)) this.#closeAll(cell, (input) => input.run < run);
  }

  /** The cell is gone. */
  remove(cell: string): void {
    this.#closeAll(cell, () => true);
  }

  #find(definition: Definition, text: string): Input {
    const run = currentRun();
    const cell = run?.cell ?? "";
    const counts = (run && this.#counts.get(run)) ?? new Map<string, number>();
    if (run) this.#counts.set(run, counts);
    const nth = counts.get(text) ?? 0;
    counts.set(text, nth + 1);

    let same = this.#byCell.get(cell);
    if (!same) this.#byCell.set(cell, (same = new Map()));
    const made = same.get(text) ?? [];
    same.set(text, made);
    // Later cells of a console, and callbacks of runs that are over, take up nothing.
    const kept = isUnnamed(cell) || run?.cancelled ? undefined : made[nth];
    if (kept) {
      kept.run = run?.id ?? 0;
      return kept;
    }
    if (this.#byId.size >= MOST_INPUTS)
      throw new RangeError(
        `There are ${MOST_INPUTS} inputs already, and a notebook may have no more at once. Make fewer, or delete cells that made some.`,
      );
    const { value } = definition;
    const input: Input = { id: randomUUID(), cell, definition, value, run: run?.id ?? 0, told: 0 };
    made.push(input);
    this.#byId.set(input.id, input);
    emit({ event: "widget-open", id: input.id, cell, definition });
    return input;
  }

  #set(input: Input, value: unknown): void {
    const { rule, label } = input.definition;
    if (!keeps(rule, value)) throw new RangeError(`The input ${stringify(label)} cannot take this value.`);
    if (this.#byId.get(input.id) !== input) input.value = value;
    else if (this.#change(input, value, true)) {
      const wait = input.told + PACE_MS - performance.now();
      if (wait <= 0) this.#tell(input);
      else input.timer ??= setTimeout(() => this.#tell(input), wait);
    }
  }

  /** Whether it was another value before. */
  #change(input: Input, value: unknown, later = false): boolean {
    if (input.definition.rule.type !== "files" && stringify(input.value) === stringify(value)) return false;
    input.value = value;
    if (!later) this.#changed(input);
    return true;
  }

  #tell(input: Input): void {
    clearTimeout(input.timer);
    input.timer = undefined;
    if (!this.#byId.has(input.id)) return;
    input.told = performance.now();
    emit({ event: "widget-value", id: input.id, value: input.value });
    this.#changed(input, true);
  }

  #changed(input: Input, byCode = false): void {
    const names: string[] = [];
    for (const [name, binding] of this.bindings(input.cell))
      if (this.#holds(binding, input)) names.push(name);
    emit({ event: "changed", cell: input.cell, names, byCode });
  }

  #holds(binding: Binding, input: Input): boolean {
    try {
      return this.#within(binding.get(), input);
    } catch {
      // Not defined yet: its cell is still running.
      return false;
    }
  }

  /** Looks into what a value is made of, the nearest first, and runs no getter. */
  #within(value: unknown, input: Input): boolean {
    const seen = new Set<unknown>();
    let level: unknown[] = [value];
    for (let depth = 0; depth <= DEPTH && level.length; depth++) {
      const below: unknown[] = [];
      for (const part of level) {
        if (!isReference(part) || isProxy(part) || seen.has(part)) continue;
        if (this.#owners.get(part) === input) return true;
        if (seen.size >= MOST_PARTS) return false;
        seen.add(part);
        below.push(...partsOf(part));
      }
      level = below;
    }
    return false;
  }

  #closeAll(cell: string, which: (input: Input) => boolean): void {
    const gone = [...(this.#byCell.get(cell)?.values() ?? [])].flat().filter(which);
    if (!gone.length) return;
    for (const input of gone) this.#forget(input);
    emit({ event: "widget-close", ids: gone.map(({ id }) => id) });
  }

  #forget(input: Input): void {
    this.#byId.delete(input.id);
    clearTimeout(input.timer);
    const same = this.#byCell.get(input.cell);
    for (const [text, made] of same ?? []) {
      const others = made.filter((other) => other !== input);
      if (others.length) same!.set(text, others);
      else same!.delete(text);
    }
    if (same?.size === 0) this.#byCell.delete(input.cell);
  }
}

function isReference(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function partsOf(value: object): unknown[] {
  if (isMap(value)) return [...mapEntries.call(value)].slice(0, BREADTH).flat();
  if (isSet(value)) return [...setValues.call(value)].slice(0, BREADTH);
  if (isTypedArray(value) || isAnyArrayBuffer(value)) return [];
  const parts: unknown[] = [];
  for (const key of Object.getOwnPropertyNames(value).slice(0, BREADTH))
    parts.push(Object.getOwnPropertyDescriptor(value, key)?.value);
  return parts;
}

function withBytes({ value, files }: Pick<WidgetCommand, "value" | "files">): unknown {
  if (!files) return value;
  return (value as object[]).map((record, i) => ({
    ...record,
    bytes: new Uint8Array(Buffer.from(files[i] ?? "", "base64")),
  }));
}

export const inputs = new Inputs();
