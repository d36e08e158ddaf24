// The built-ins that the session's own code needs, taken before any cell runs: fake timers, polyfills and mistakes in
// cells replace them for the cells alone. Relies on being loaded first. Where more is broken than stands here, the
// session notices that it cannot go on and says so (child.ts).

export const { AbortController, performance, Buffer, clearTimeout, process, setTimeout } = globalThis;
export const { parse, stringify } = JSON;
export const { and, load, notify, or, store, wait } = Atomics;
export const first = Promise.race.bind(Promise) as PromiseConstructor["race"];
export const every = Promise.all.bind(Promise) as PromiseConstructor["all"];
/** Without a last word to anyone: what listens to `exit` may be what is broken. */
export const leave = (process as unknown as { reallyExit(code: number): never }).reallyExit.bind(process);
