// The history on disk: a folder with one file a session, named by its number, one JSON line [line, source] an entry.
// A new session takes the next number by making its file, which no two kernels can do, so nothing is ever locked.
// Only its owner can read it. Never fails anything: where the disk cannot be written, history is this session's alone.

import { type FileHandle, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Line } from "./history.ts";

/** Older sessions are deleted when a new one begins. */
const MOST_SESSIONS = 500;
/** What one session may write, and what of one is read. */
const MOST_BYTES = 4_000_000;

export class HistoryFolder {
  readonly #folder: string;
  #opened: Promise<{ number: number; file?: FileHandle }> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #unwritten = "";
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** This session's number. */
  get session(): Promise<number> {
    return this.#open().then(({ number }) => number);
  }

  append(line: Line): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > MOST_BYTES) return;
    const idle = this.#unwritten === "";
    this.#unwritten += text;
    if (idle) this.#writing = this.#writing.then(() => this.#write());
  }

  /** The other sessions, newest first. */
  async *others(): AsyncGenerator<{ session: number; lines: readonly Line[] }> {
    const own = await this.session;
    for (const session of (await this.#sessions()).reverse())
      if (session !== own) yield { session, lines: await this.read(session) };
  }

  async read(session: number): Promise<readonly Line[]> {
    try {
      const text = await readFile(this.#path(session), "utf8");
      return text.length > 2 * MOST_BYTES ? [] : text.split("\n").flatMap(parseLine);
    } catch {
      return [];
    }
  }

  async close(): Promise<void> {
    await this.#writing;
    if (this.#opened) await (await this.#opened).file?.close().catch(() => {});
  }

  #open(): Promise<{ number: number; file?: FileHandle }> {
    this.#opened ??= this.#begin().catch(() => ({ number: 1 }));
    return this.#opened;
  }

  async #begin(): Promise<{ number: number; file?: FileHandle }> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const before = await this.#sessions();
    for (const old of before.slice(0, -MOST_SESSIONS)) await unlink(this.#path(old)).catch(() => {});
    for (let number = (before.at(-1) ?? 0) + 1; ; number++)
      try {
        return { number, file: await open(this.#path(number), "ax", 0o600) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
  }

  async #write(): Promise<void> {
    const { file } = await this.#open();
    const text = this.#unwritten;
    this.#unwritten = "";
    await file?.appendFile(text).catch(() => {});
  }

  /** Their numbers, ascending. */
  async #sessions(): Promise<number[]> {
    const names = await readdir(this.#folder).catch((): string[] => []);
    return names
      .flatMap((name) => (/^\d{1,15}\.jsonl$/.test(name) ? [Number.parseInt(name, 10)] : []))
      .sort((a, b) => a - b);
  }

  #path(session: number): string {
    return join(this.#folder, `${session}.jsonl`);
  }
}

/** A line that was cut short, or that something else has written, is passed over. */
function parseLine(text: string): Line[] {
  try {
    const line: unknown = text && JSON.parse(text);
    if (!Array.isArray(line) || !Number.isSafeInteger(line[0]) || typeof line[1] !== "string") return [];
    return [[line[0], line[1]]];
  } catch {
    return [];
  }
}
