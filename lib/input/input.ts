// An input that a person can change in the notebook while code reads its value. Relies on the session's host for the
// widget; in plain Node it is just the value. Every view of it is one widget: move one and the others follow.

import { inspect } from "node:util";
import { LensorError } from "../errors.ts";
import { currentHost } from "../host.ts";
import type { InputDefinition, InputHandle } from "./definition.ts";

/** How a value stands in the widget's state. */
export interface Codec<T> {
  decode(state: unknown): T;
  /** @throws LensorError for a value that this input cannot have. */
  encode(value: T): unknown;
  /** The value in words, where nothing can be moved. */
  text(value: T): string;
}

/** An input that only a person changes. */
export type ReadInput<T> = Omit<Input<T>, "value"> & { readonly value: T };

/**
 * An input that a person can change in the notebook while code reads its `value`. Every view of it is one widget: move one
 * and the others follow. In plain Node it is just the value.
 */
export class Input<T> {
  /** "slider", "select" and their like. */
  readonly kind: string;
  /** What stands beside it. */
  readonly label: string;
  readonly #codec: Codec<T>;
  readonly #handle: InputHandle;

  /** @internal Inputs are made by `input.slider` and its siblings. */
  constructor(definition: InputDefinition, codec: Codec<T>) {
    this.kind = definition.kind;
    this.label = definition.label;
    this.#codec = codec;
    this.#handle = currentHost()?.input?.(definition, this) ?? alone(definition);
  }

  /**
   * What the input is set to now. A cell that reads it runs again when a person, or code, changes it.
   * Setting it moves the widget.
   * @throws LensorError when set to a value that the input cannot have.
   */
  get value(): T {
    return this.#codec.decode(this.#handle.get());
  }

  set value(value: T) {
    this.#handle.set(this.#codec.encode(value));
  }

  /** Label and value: `ratio: 10`. */
  toString(): string {
    return `${this.label}: ${this.#codec.text(this.value)}`;
  }

  [inspect.custom](): string {
    return `${this.kind} ${this.toString()}`;
  }

  [Symbol.for("Jupyter.display")](): Record<string, unknown> {
    const text = { "text/plain": this.toString() };
    const { id } = this.#handle;
    if (!id) return text;
    return {
      "application/vnd.jupyter.widget-view+json": { version_major: 2, version_minor: 0, model_id: id },
      ...text,
    };
  }
}

/** Where nobody can move anything. */
function alone({ value }: InputDefinition): InputHandle {
  let held = value;
  return {
    id: "",
    get: () => held,
    set(value) {
      held = value;
    },
  };
}

const MOST_LABEL = 200;

export function checkLabel(call: string, label: unknown): asserts label is string {
  if (typeof label === "string" && label.length <= MOST_LABEL) return;
  throw new LensorError(`${call}: its first argument is the label`, {
    expected: `a text of at most ${MOST_LABEL} characters`,
    got: typeof label === "string" ? `one of ${label.length}` : typeof label,
  });
}

export function readOnly(label: string, why: string): never {
  throw new LensorError(`input ${JSON.stringify(label)}: its value cannot be set`, {
    fix: `It ${why}: only a person changes it.`,
  });
}
