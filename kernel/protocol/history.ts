// The history of this kernel's own session, in memory: what was run, and found again by tail, range or pattern.
// Bounded; never written to disk.

const MAX_ENTRIES = 1000;
const SESSION = 0;

type Entry = readonly [session: number, line: number, source: string];

export class History {
  #entries: Entry[] = [];

  add(count: number, source: string): void {
    this.#entries.push([SESSION, count, source]);
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift();
  }

  /** The entries a history_request asks for. */
  find(request: Record<string, unknown>): Entry[] {
    const n = typeof request.n === "number" && request.n >= 0 ? request.n : MAX_ENTRIES;
    switch (request.hist_access_type) {
      case "tail":
        return n === 0 ? [] : this.#entries.slice(-n);
      case "range": {
        const { start = 0, stop } = request;
        return this.#entries.filter(
          ([, line]) => line >= Number(start) && (typeof stop !== "number" || line < stop),
        );
      }
      case "search": {
        const pattern = glob(String(request.pattern ?? "*"));
        let found = this.#entries.filter(([, , source]) => pattern.test(source));
        if (request.unique)
          found = found.filter((entry, i) => !found.slice(i + 1).some(([, , source]) => source === entry[2]));
        return n === 0 ? [] : found.slice(-n);
      }
      default:
        return [];
    }
  }
}

function glob(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, "[^]*")
    .replace(/\?/g, "[^]");
  return new RegExp(`^${escaped}$`);
}
