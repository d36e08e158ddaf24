// stdout and stderr of the cells: each write belongs to the run whose code wrote it, sent in batches.
// Relies on the current run's asynchronous context. Never holds text back longer than a twentieth of a second while
// the event loop turns, and in a busy loop sends what has gathered as it goes.

import { Buffer, clearTimeout, performance, setTimeout } from "./intrinsics.ts";
import { emit, type StreamName } from "./link.ts";
import { currentRun } from "./run.ts";

const BATCH_MS = 40;
const BATCH_LENGTH = 1 << 18;
const PIECE = 1 << 18;

let pending: { run: number; name: StreamName; parts: string[]; length: number } | undefined;
let timer: NodeJS.Timeout | undefined;
let sent = 0;

/** Sends what has gathered. Called before every other event, so that output keeps its order. */
export function flush(): void {
  clearTimeout(timer);
  timer = undefined;
  if (!pending) return;
  const { run, name, parts } = pending;
  pending = undefined;
  sent = performance.now();
  emit({ event: "stream", run, name, text: parts.join("") });
}

export function write(name: StreamName, text: string, run = currentRun()?.id ?? 0): void {
  // Pieces that the host can take between two other things it does.
  for (let at = 0; at < text.length; ) {
    const end = text.length - at > PIECE ? pieceEnd(text, at + PIECE) : text.length;
    add(name, at === 0 && end === text.length ? text : text.slice(at, end), run);
    at = end;
  }
}

/** A place near `end` that is not inside a surrogate pair. */
function pieceEnd(text: string, end: number): number {
  const unit = text.charCodeAt(end - 1);
  return unit >= 0xd800 && unit < 0xdc00 ? end - 1 : end;
}

function add(name: StreamName, text: string, run: number): void {
  if (pending && (pending.run !== run || pending.name !== name)) flush();
  pending ??= { run, name, parts: [], length: 0 };
  pending.parts.push(text);
  pending.length += text.length;
  if (pending.length > BATCH_LENGTH || performance.now() - sent > BATCH_MS) flush();
  else timer ??= setTimeout(flush, BATCH_MS);
}

export function captureStreams(): void {
  for (const name of ["stdout", "stderr"] as const) {
    const decoder = new TextDecoder();
    const replacement = (
      chunk: string | Uint8Array,
      encoding?: BufferEncoding | (() => void),
      done?: () => void,
    ): boolean => {
      const text =
        typeof chunk === "string"
          ? typeof encoding === "string" && !/^utf-?8$/i.test(encoding)
            ? Buffer.from(chunk, encoding).toString()
            : chunk
          : decoder.decode(chunk, { stream: true });
      write(name, text);
      const callback = typeof encoding === "function" ? encoding : done;
      if (callback) queueMicrotask(() => callback());
      return true;
    };
    process[name].write = replacement as typeof process.stdout.write;
  }
  console.clear = () => {
    flush();
    emit({ event: "clear", run: currentRun()?.id ?? 0, wait: false });
  };
}
