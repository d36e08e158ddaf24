// What has happened to the values of a session: which run made each one, and which runs have changed it in place since.
// A state is a number: two values are in the same state when the same runs made and changed them, in the same order.
// Pure bookkeeping; relies on run numbers being unique.

/** The state of a value that no run has made yet, or that nobody can tell. Equal to nothing, not even to itself. */
export const UNKNOWN = Number.NaN;

/** The state of a value as the run of its cell left it; `moves` counts the times its input was moved. */
export function made(run: number, moves: number): number {
  return follow(follow(1, run), moves);
}

/** The state after one more run has changed it: a hash of 52 bits, so that chance never makes two alike. */
export function follow(state: number, run: number): number {
  if (Number.isNaN(state)) return UNKNOWN;
  const high = Math.floor(state / 0x4000000);
  const low = state % 0x4000000;
  const a = Math.imul(low ^ run, 0x9e3779b1) ^ Math.imul(high + 0x7f4a7c15, 0x85ebca6b);
  const b = Math.imul(high ^ (run >>> 3) ^ (a >>> 15), 0xc2b2ae35) ^ Math.imul(low + run, 0x27d4eb2f);
  const mixedA = Math.imul(a ^ (a >>> 13) ^ b, 0x165667b1) >>> 6;
  const mixedB = Math.imul(b ^ (b >>> 16) ^ a, 0x9e3779b1) >>> 6;
  return mixedA * 0x4000000 + mixedB;
}

interface Value {
  readonly run: number;
  moves: number;
  /** Whether it is an input that was moved, or holds it. */
  isInput: boolean;
  keeps: boolean;
  readonly changes: number[];
  state: number;
}

/** Values by cell and name; outside they go by the keys of resources. */
export class History {
  readonly #cells = new Map<string, Map<string, Value>>();
  readonly #changed = new Map<string, number>();
  #namesChanged = 0;

  /** Tells apart the sets of names that `changedNames` has given. */
  get version(): number {
    return this.#namesChanged;
  }

  /** A run of a cell begins: the values it made before are gone. */
  begin(cell: string, names: Iterable<string>, run: number): void {
    this.forget(cell);
    const values = new Map<string, Value>();
    for (const name of names)
      values.set(name, { run, moves: 0, isInput: false, keeps: false, changes: [], state: made(run, 0) });
    this.#cells.set(cell, values);
  }

  change(key: string, run: number): void {
    const value = this.#value(key);
    if (!value || value.keeps) return;
    if (value.changes.length === 0) this.#count(split(key).name, 1);
    value.changes.push(run);
    value.state = follow(value.state, run);
  }

  /** A value that keeps what it holds when its cell runs again, as an input does: to set it is not to spoil it. */
  keep(key: string): boolean {
    const value = this.#value(key);
    if (!value || value.keeps) return false;
    value.keeps = true;
    return true;
  }

  keeps(key: string): boolean {
    return this.#value(key)?.keeps ?? false;
  }

  /** An input has another value now, or what is computed from it each time. */
  move(key: string, isInput: boolean): void {
    const value = this.#value(key);
    if (!value) return;
    value.moves++;
    value.isInput ||= isInput;
    value.state = value.changes.reduce(follow, made(value.run, value.moves));
  }

  /** As it is now, changed or not. */
  state(key: string): number {
    return this.#value(key)?.state ?? UNKNOWN;
  }

  /** As the run of its cell left it. */
  origin(key: string): number {
    const value = this.#value(key);
    return value ? made(value.run, value.moves) : UNKNOWN;
  }

  isInput(key: string): boolean {
    return this.#value(key)?.isInput ?? false;
  }

  forget(cell: string): void {
    for (const [name, value] of this.#cells.get(cell) ?? []) if (value.changes.length) this.#count(name, -1);
    this.#cells.delete(cell);
  }

  /** The names that a cell's last run has made. */
  names(cell: string): Iterable<string> {
    return this.#cells.get(cell)?.keys() ?? [];
  }

  /** Names of values that have been changed in place. */
  changedNames(): Iterable<string> {
    return this.#changed.keys();
  }

  #value(key: string): Value | undefined {
    const { cell, name } = split(key);
    return this.#cells.get(cell)?.get(name);
  }

  #count(name: string, by: number): void {
    const before = this.#changed.get(name) ?? 0;
    if (before + by > 0) this.#changed.set(name, before + by);
    else this.#changed.delete(name);
    if (before === 0 || before + by === 0) this.#namesChanged++;
  }
}

/** A key names a value first, then its cell: a name holds no line break, a cell's id may. */
function split(key: string): { name: string; cell: string } {
  const at = key.indexOf("\n");
  return { name: key.slice(0, at), cell: key.slice(at + 1) };
}
