// What host and child say to each other: one JSON object a line, over pipes of their own.
// Commands go to the child's main thread, controls to its control thread (the main one may be busy), events come back.
// Events are written synchronously, so order is kept, a slow reader slows the writer, and a crash loses nothing said.

import { writeSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { Buffer, parse, stringify, wait } from "./intrinsics.ts";
import type { WidgetCommand, WidgetEvent } from "./widgets.ts";

export type MimeBundle = Record<string, unknown>;

export type Command =
  | {
      readonly op: "run";
      readonly run: number;
      readonly cell: string;
      readonly code: string;
      /** How the cell is named in errors: `Cell [3]`. */
      readonly label: string;
      /** Cell ids in document order, where the front end tells. */
      readonly order?: readonly string[];
      readonly deleted?: readonly string[];
      /** By free name: the cell that defines what it means, where the notebook's dataflow is known. */
      readonly meanings?: Readonly<Record<string, string>>;
      /** A silent run leaves no names behind and shows nothing, but for its value where that is wanted. */
      readonly silent?: boolean;
      readonly value?: boolean;
    }
  | { readonly op: "complete"; readonly id: number; readonly code: string; readonly cursor: number }
  | { readonly op: "inspect"; readonly id: number; readonly code: string; readonly cursor: number }
  | { readonly op: "input"; readonly id: number; readonly text: string; readonly refused?: string }
  /** Cells that are gone: what they left behind ends. */
  | { readonly op: "remove"; readonly cells: readonly string[] }
  /** The session ends: what cells left behind may clean up. */
  | { readonly op: "close" }
  | WidgetCommand;

/** To the control thread, and back from it once the flag is up. */
/** In place of a run: whatever runs while no cell does. */
export const BACKGROUND = 0;

export type Control = { readonly op: "interrupt"; readonly run: number };

export type StreamName = "stdout" | "stderr";

export type Failure = {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
};

export type Event =
  | { readonly event: "ready" }
  | { readonly event: "stream"; readonly run: number; readonly name: StreamName; readonly text: string }
  | { readonly event: "display"; readonly run: number; readonly data: MimeBundle; readonly id?: string }
  | { readonly event: "update"; readonly run: number; readonly data: MimeBundle; readonly id: string }
  | { readonly event: "result"; readonly run: number; readonly data: MimeBundle }
  | { readonly event: "clear"; readonly run: number; readonly wait: boolean }
  | { readonly event: "page"; readonly run: number; readonly data: MimeBundle }
  /** The code has dropped all names. */
  | { readonly event: "reset" }
  | {
      readonly event: "input";
      readonly run: number;
      readonly id: number;
      readonly prompt: string;
      readonly password: boolean;
    }
  | { readonly event: "done"; readonly run: number; readonly failure?: Failure }
  | { readonly event: "names"; readonly names: readonly NameFacts[] }
  | { readonly event: "reply"; readonly id: number; readonly body: unknown }
  | WidgetEvent
  /**
   * An input's value has changed, by a page or by code: which cell made it, and which of the cell's names hold it; none where
   * that is not known.
   */
  | {
      readonly event: "changed";
      readonly cell: string;
      readonly names: readonly string[];
      readonly byCode: boolean;
    }
  | { readonly event: "exit"; readonly code: number };

/** What the host remembers of a name, to answer while the child is busy. */
export interface NameFacts {
  readonly name: string;
  /** The cell that defines it. */
  readonly cell: string;
  readonly type: string;
  readonly text: string;
  readonly members: readonly string[];
  readonly shape?: readonly number[];
  readonly bytes?: number;
  readonly device?: string;
}

/** File descriptors of the child, after the usual three. */
export const EVENTS = 3;
export const COMMANDS = 4;
export const CONTROLS = 5;

/** The exit code of a child whose own code cannot go on, because a cell has changed what it is built from. */
export const BROKEN = 86;

const OPENING_BRACE = 0x7b;

export function encode(message: Command | Control | Event): string {
  const text = stringify(message);
  // A cell may have given all objects a `toJSON`: better no word than one that means something else.
  if (text.charCodeAt(0) !== OPENING_BRACE) throw new TypeError("JSON.stringify no longer writes objects");
  return `${text}\n`;
}

/** What a person's browser can be sent in one piece; a longer display is refused where it is made. */
const MAX_LENGTH = 64_000_000;

/**
 * Feeds text in pieces and hands on each whole line, parsed. A cell can write to the session's pipes itself: lines that
 * are no JSON object, or that do not end, are passed over.
 */
export function lines<T extends object>(receive: (message: T) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder("utf8");
  let pending: string[] = [];
  let length = 0;
  const take = (part: string): void => {
    length += part.length;
    if (length <= 2 * MAX_LENGTH) pending.push(part);
    else pending = [];
  };
  return (chunk) => {
    const parts = decoder.write(chunk).split("\n");
    take(parts[0]!);
    for (let i = 1; i < parts.length; i++) {
      const message = parseObject(pending.join(""));
      pending = [];
      length = 0;
      take(parts[i]!);
      if (message) receive(message as T);
    }
  };
}

function parseObject(line: string): object | undefined {
  if (!line) return undefined;
  try {
    const value: unknown = parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** @throws when a bundle is too long or holds what JSON cannot: that is the mistake of whoever made it. */
function encodeEvent(event: Event): string {
  let text: string;
  try {
    text = encode(event);
  } catch (error) {
    if (!("data" in event)) throw error;
    throw new TypeError(
      `A display (${typesOf(event)}) has to be JSON, and this one is not: ${(error as Error).message}`,
    );
  }
  if (text.length > MAX_LENGTH && "data" in event)
    throw new RangeError(
      `A display (${typesOf(event)}) may have ${MAX_LENGTH / 1e6} MB, and this one has ${Math.ceil(text.length / 1e6)} MB. ` +
        "Show a part of it, or write it to a file and show a link.",
    );
  // On a line of its own, also after something unfinished that the cell's own code wrote to this pipe.
  return `\n${text}`;
}

function typesOf(event: { readonly data: object }): string {
  return Object.keys(event.data).join(", ");
}

/** Writes an event from the child, waiting while the pipe is full. */
export function emit(event: Event): void {
  let bytes = Buffer.from(encodeEvent(event));
  while (bytes.length) {
    try {
      bytes = bytes.subarray(writeSync(EVENTS, bytes));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nobody can hear: the host is gone, or a cell has closed the pipe, which the host sees.
      if (code !== "EAGAIN") return;
      wait(pause, 0, 0, 1);
    }
  }
}
