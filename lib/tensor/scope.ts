// Which tensors a scope frees. A tensor made while scopes are open belongs to the innermost; when that ends, the tensors
// reachable from its result move to the one around it, the others are disposed. Never looks inside class instances.

import { refusePromise } from "./promise.ts";
import { Tensor } from "./tensor.ts";

const open: Set<Tensor>[] = [];

/** Notes a new tensor in the innermost scope; called by Tensor's constructor. */
export function track(tensor: Tensor): void {
  open.at(-1)?.add(tensor);
}

/** Forgets a tensor that was disposed by hand; called by `dispose`. */
export function untrack(tensor: Tensor): void {
  for (const made of open) made.delete(tensor);
}

/**
 * Runs `body` and frees the tensors made in it, except those in what it returns: a tensor, or arrays and plain objects of
 * them. Synchronous: the callback's work is enqueued when it returns, and freeing waits for the queue by itself.
 * @throws LensorError where the callback returns a promise; what it throws itself (its tensors are freed too)
 */
export function scope<R>(body: () => R): R {
  return scoped("scope", body);
}

/** The same, for a function that its users know by another name. */
export function scoped<R>(call: string, body: () => R): R {
  const made = new Set<Tensor>();
  open.push(made);
  let result: R;
  try {
    result = refusePromise(call, body(), "its tensors are freed when it returns");
  } catch (error) {
    open.pop();
    for (const tensor of made) tensor.dispose();
    throw error;
  }
  open.pop();
  const kept = tensorsIn(result);
  for (const tensor of made)
    if (kept.has(tensor)) track(tensor);
    else tensor.dispose();
  return result;
}

function tensorsIn(result: unknown): Set<Tensor> {
  const found = new Set<Tensor>();
  const seen = new Set<object>();
  const visit = (value: unknown) => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (value instanceof Tensor) found.add(value);
    else if (Array.isArray(value)) value.forEach(visit);
    else if (isPlain(value)) Object.values(value).forEach(visit);
  };
  visit(result);
  return found;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
