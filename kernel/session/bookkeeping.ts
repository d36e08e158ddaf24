// Following a run through its promises and timers leaves Node's notes on them, as symbols that printing would show: here
// they are hidden, so that a promise prints as `Promise { 1 }`. Relies on the symbols' names. Removes nothing.

import { inspect } from "node:util";

const NOTES = new Set([
  "async_id_symbol",
  "trigger_async_id_symbol",
  "asyncId",
  "triggerId",
  "kResourceStore",
]);

type Inspect = (this: object, ...args: unknown[]) => unknown;

/** Makes the notes on one object invisible to printing; Node can still read and write them. */
export function hideNotes(value: unknown): void {
  if (!(value instanceof Promise || value instanceof Timeout)) return;
  for (const symbol of Object.getOwnPropertySymbols(value))
    if (NOTES.has(symbol.description ?? "")) Reflect.defineProperty(value, symbol, { enumerable: false });
}

const timer = setTimeout(() => {}, 0);
clearTimeout(timer);
const Timeout = timer.constructor as new () => NodeJS.Timeout;

/** Lets every promise and timer of this process print without its notes. */
export function hideBookkeeping(): void {
  for (const prototype of [Promise.prototype, Timeout.prototype] as { [inspect.custom]?: Inspect }[]) {
    const original = prototype[inspect.custom];
    const custom: Inspect = function (...args) {
      hideNotes(this);
      // Returning the object itself asks for Node's usual printing.
      return original ? original.apply(this, args) : this;
    };
    Object.defineProperty(prototype, inspect.custom, { value: custom, writable: true, configurable: true });
  }
}
