// Gradients: where they start, when operations are recorded, and the way back. The tape itself is native (core/tape.h);
// a tensor holds its place on it.

import { LensorError } from "../errors.ts";
import { type NativePlace, native } from "../native.ts";
import { isFloat } from "./dtype.ts";
import { Place } from "./memory.ts";
import { refusePromise } from "./promise.ts";
import { cast, pack, packShapes, prepared, share } from "./queue.ts";
import { countOf, formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

let isOff = false;

/** Of an operation's inputs; undefined where none is recorded, or nothing is. */
export function placesOf(inputs: readonly Tensor[]): (NativePlace | undefined)[] | undefined {
  if (isOff || !inputs.some((x) => x.place)) return undefined;
  return inputs.map((x) => x.place?.handle);
}

/** Whether operations are recorded now: outside noGrad. */
export function isRecording(): boolean {
  return !isOff;
}

/**
 * Runs `body` without recording: its results ask for no gradient, and nothing is kept for one. Synchronous.
 * @throws LensorError where the callback returns a promise
 */
export function noGrad<R>(body: () => R): R {
  const before = isOff;
  isOff = true;
  try {
    return refusePromise("noGrad", body(), "recording goes on when it returns");
  } finally {
    isOff = before;
  }
}

/** The start of a tape. @throws LensorError for integers and booleans */
export function leafOf(x: Tensor): Place {
  if (!isFloat(x.dtype))
    throw new LensorError(`A tensor of ${x.dtype} has no gradient`, {
      expected: "f32, f16 or bf16",
      got: `the tensor "${x.name}" in ${x.dtype}`,
      fix: 'Cast it first: cast("f32").requiresGrad().',
    });
  return new Place(native().leaf(packShapes([x])));
}

/** d root / d leaf, added to the `grad` of every leaf that root was made of. @throws LensorError */
export function backward(root: Tensor, seed: Tensor | undefined, retainGraph: boolean): void {
  const { shape, dtype } = root;
  root.view("backward");
  if (!root.place)
    throw new LensorError(`backward: nothing that "${root.name}" was made of asks for a gradient`, {
      expected: "a tensor made of one with requiresGrad()",
      got: `"${root.name}"`,
      fix: "Call requiresGrad() on the tensors to learn before they are used, outside noGrad.",
    });
  if (seed === undefined && countOf(shape) !== 1)
    throw new LensorError("backward needs a scalar, or a seed", {
      expected: "a tensor of one element, such as a mean() or sum()",
      got: `the shape ${formatShape(shape)}`,
      fix: "Reduce it first, or give the gradient that arrives here: backward(seed).",
    });
  if (seed !== undefined && (!(seed instanceof Tensor) || formatShape(seed.shape) !== formatShape(shape)))
    throw new LensorError("backward got a seed that does not fit", {
      expected: `a tensor of the shape ${formatShape(shape)}`,
      got: seed instanceof Tensor ? formatShape(seed.shape) : String(seed),
    });
  const place = root.place.handle;
  const start = (g?: Tensor) => {
    try {
      native().backward(
        place,
        g?.memory("backward").handle,
        g && pack([g], [g.view("backward")]),
        retainGraph,
      );
    } catch (error) {
      throw asLensorError(error);
    }
  };
  if (!seed) {
    start();
    return;
  }
  noGrad(() =>
    prepared([share(seed, seed.view("backward"), "seed")], (wide) =>
      prepared([cast(wide, dtype, "seed")], start),
    ),
  );
}

/** What a leaf has gathered so far. */
export function gradOf(x: Tensor): Tensor | undefined {
  const buffer = x.place && native().gradient(x.place.handle);
  return buffer && Tensor.fromBuffer(buffer, x.shape, x.dtype, `gradient of ${x.name}`);
}

function asLensorError(error: unknown): unknown {
  const text = error instanceof TypeError ? error.message : "";
  const [, what, fix] = /^(backward: [^.]*)\. (.*)$/s.exec(text) ?? [];
  return what ? new LensorError(what, { fix }) : error;
}
