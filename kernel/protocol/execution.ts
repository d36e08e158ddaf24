// An execute_request, checked: what is to be run and how. Relies on fields.ts for the types of its fields.
// What it says of cells is the front end's own, and what cannot be read of it is passed over.

import { flag, text, texts } from "./fields.ts";
import type { Message } from "./wire.ts";

/** A front end that asks for more at once has gone wrong. */
const MOST_EXPRESSIONS = 100;

export interface Execution {
  readonly code: string;
  /** Shows nothing, counts nothing, leaves nothing behind. */
  readonly silent: boolean;
  readonly storeHistory: boolean;
  /** Evaluated when the code has run well, by name. */
  readonly expressions: Readonly<Record<string, string>>;
  readonly allowStdin: boolean;
  readonly stopOnError: boolean;
  /** The front end's id of the cell; absent where it sends none. */
  readonly cell?: string;
  readonly order?: readonly string[];
  readonly deleted?: readonly string[];
}

/** @throws BadRequest */
export function executionOf({ content, metadata }: Message): Execution {
  const silent = flag(content, "silent", false);
  return {
    code: text(content, "code"),
    silent,
    storeHistory: flag(content, "store_history", true) && !silent,
    expressions: texts(content, "user_expressions", MOST_EXPRESSIONS),
    allowStdin: flag(content, "allow_stdin", false),
    stopOnError: flag(content, "stop_on_error", true),
    cell: typeof metadata.cellId === "string" ? metadata.cellId : undefined,
    order: strings(metadata.cellOrder),
    deleted: strings(metadata.deletedCells),
  };
}

function strings(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}
