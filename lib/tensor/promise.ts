// What a synchronous callback must not return.

import { LensorError } from "../errors.ts";

/** The result itself. `until`: what ends when the callback returns. @throws LensorError where it is a promise */
export function refusePromise<R>(call: string, result: R, until: string): R {
  if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") return result;
  // The callback may well fail on what ended here; this error says more.
  (result as PromiseLike<unknown>).then(undefined, () => {});
  throw new LensorError(`${call} got a callback that returns a promise`, {
    expected: `a synchronous callback: ${until}`,
    got: "a promise (an async function?)",
    fix: "Make the tensors inside, return them, and await their data() outside.",
  });
}
