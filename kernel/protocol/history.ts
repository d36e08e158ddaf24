// What was run, by this kernel and by earlier ones: found again by tail, range or pattern.
// Relies on history-folder.ts for other sessions; without a folder it remembers its own alone. Bounded; each entry is
// [session, line, source], and outputs are not kept.

import { flag, text, whole } from "./fields.ts";
import type { HistoryFolder } from "./history-folder.ts";
import type { Json } from "./wire.ts";

const MOST_ENTRIES = 1000;
/** More than any front end shows. */
const MOST_FOUND = 10_000;

export type Line = readonly [line: number, source: string];
export type Entry = readonly [session: number, line: number, source: string];

export class History {
  readonly #own: Line[] = [];
  readonly #folder: HistoryFolder | undefined;

  constructor(folder?: HistoryFolder) {
    this.#folder = folder;
  }

  add(line: number, source: string): void {
    this.#own.push([line, source]);
    if (this.#own.length > MOST_ENTRIES) this.#own.shift();
    this.#folder?.append([line, source]);
  }

  /** The entries that a history_request asks for, oldest first. @throws BadRequest */
  async find(request: Json): Promise<Entry[]> {
    const n = Math.max(0, Math.min(whole(request, "n", MOST_FOUND), MOST_FOUND));
    switch (text(request, "hist_access_type")) {
      case "tail":
        return this.#latest(n, () => true);
      case "range":
        return this.#range(whole(request, "session", 0), whole(request, "start", 0), request);
      case "search": {
        const pattern = text(request, "pattern", "*");
        const seen = flag(request, "unique", false) ? new Set<string>() : undefined;
        return this.#latest(n, ([, source]) => {
          if (seen?.has(source) || !matches(pattern, source)) return false;
          seen?.add(source);
          return true;
        });
      }
      default:
        return [];
    }
  }

  async close(): Promise<void> {
    await this.#folder?.close();
  }

  /** Walks backwards, and stops once it has enough. */
  async #latest(n: number, wanted: (line: Line) => boolean): Promise<Entry[]> {
    const found: Entry[] = [];
    const take = (session: number, lines: readonly Line[]): void => {
      for (let i = lines.length - 1; i >= 0 && found.length < n; i--)
        if (wanted(lines[i]!)) found.push([session, ...lines[i]!]);
    };
    take(await this.#session(), this.#own);
    if (found.length < n)
      for await (const { session, lines } of this.#folder?.others() ?? []) {
        take(session, lines);
        if (found.length >= n) break;
      }
    return found.reverse();
  }

  /** A session by its number; counted back from this one where that is 0 or negative, as in IPython. */
  async #range(asked: number, start: number, request: Json): Promise<Entry[]> {
    const stop = whole(request, "stop", Number.MAX_SAFE_INTEGER);
    const own = await this.#session();
    const session = asked > 0 ? asked : own + asked;
    const lines = session === own ? this.#own : ((await this.#folder?.read(session)) ?? []);
    return lines
      .filter(([line]) => line >= start && line < stop)
      .slice(0, MOST_FOUND)
      .map((line): Entry => [session, ...line]);
  }

  async #session(): Promise<number> {
    return (await this.#folder?.session) ?? 0;
  }
}

/** Whether a text is like a pattern of `*` and `?`. Never goes back further than the last star, so that no pattern takes long. */
export function matches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let from = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      from = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++from;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
