// `sort(by)`: rows in the order of a column or of what a function says of them; equal ones keep theirs, missing values come last.
// What does not fit into memory is sorted in stretches, which are then merged.

import { LensorError } from "../../errors.ts";
import { checkFlag, checkNames, describe } from "../../options.ts";
import { Chunk, noColumn, type Row } from "../chunk.ts";
import { calling } from "../pipeline.ts";
import { Shelf } from "../shelf.ts";
import { CHUNK_ROWS } from "../source.ts";
import type { Step } from "../step.ts";

export interface SortOptions {
  /** The largest first. */
  descending?: boolean;
}

/** What rows are compared by. */
export type SortKey = number | bigint | string | boolean | Date | null | undefined;

/** Of a stretch, in bytes. */
const STRETCH = 64 << 20;
/** The key of each row travels with it under a name that no column has. */
const KEY = "\u0000key";

export function sort<R extends Row>(by: string | ((row: R) => SortKey), options: SortOptions = {}): Step {
  checkNames("sort", options, ["descending"]);
  const { descending = false } = options;
  checkFlag("sort", "descending", descending);
  if (typeof by !== "string" && typeof by !== "function")
    throw new LensorError("sort takes a column or a function of a row", { got: describe(by) });
  const compare = order(descending);
  return {
    name: "sort",
    options: { by: String(by), descending },
    opaque: typeof by === "function",
    columns(before) {
      if (typeof by === "string" && !before.includes(by)) throw noColumn(by, before, "sort");
      return before;
    },
    async *run(input) {
      const shelf = new Shelf();
      try {
        const stretches: number[][] = [];
        let open: Chunk[] = [];
        let [bytes, at] = [0, 0];
        const sorted = () => {
          if (open.length === 0) return [];
          const whole = Chunk.concat(open);
          const keys = whole.column(KEY, "sort") as SortKey[];
          const places = Array.from({ length: whole.length }, (_, i) => i);
          places.sort((a, b) => compare(keys[a], keys[b]) || a - b);
          [open, bytes] = [[], 0];
          return Array.from({ length: Math.ceil(places.length / CHUNK_ROWS) }, (_, i) =>
            whole.pick(places.slice(i * CHUNK_ROWS, (i + 1) * CHUNK_ROWS)),
          );
        };
        const putAway = async () => {
          const numbers: number[] = [];
          for (const chunk of sorted()) numbers.push(await shelf.put(chunk));
          stretches.push(numbers);
        };
        for await (const chunk of input) {
          const keys: SortKey[] = [];
          if (typeof by === "string") keys.push(...(chunk.column(by, "sort") as SortKey[]));
          else
            for (let i = 0; i < chunk.length; i++, at++)
              keys.push(await calling("sort", at, () => by(chunk.row(i) as R)));
          open.push(chunk.with(KEY, keys));
          bytes += chunk.bytes;
          if (bytes >= STRETCH) await putAway();
        }
        if (stretches.length === 0) {
          for (const chunk of sorted()) yield without(chunk);
          return;
        }
        await putAway();
        for await (const chunk of merged(stretches, shelf, compare)) yield without(chunk);
      } finally {
        await shelf.close();
      }
    },
  };
}

async function* merged(
  stretches: readonly number[][],
  shelf: Shelf,
  compare: (a: SortKey, b: SortKey) => number,
): AsyncGenerator<Chunk> {
  const heads: { left: number[]; chunk: Chunk; keys: SortKey[]; at: number }[] = [];
  for (const [first, ...left] of stretches) {
    if (first === undefined) continue;
    const chunk = await shelf.take(first);
    heads.push({ left, chunk, keys: chunk.column(KEY, "sort") as SortKey[], at: 0 });
  }
  let rows: Chunk[] = [];
  while (heads.length > 0) {
    let least = 0;
    // There are few stretches: one for each 64 MB. The first of equal ones wins, which keeps their order.
    for (let i = 1; i < heads.length; i++)
      if (compare(heads[i]!.keys[heads[i]!.at], heads[least]!.keys[heads[least]!.at]) < 0) least = i;
    const head = heads[least]!;
    rows.push(head.chunk.pick([head.at++]));
    if (rows.length >= CHUNK_ROWS) {
      yield Chunk.concat(rows);
      rows = [];
    }
    if (head.at < head.chunk.length) continue;
    const next = head.left.shift();
    if (next === undefined) heads.splice(least, 1);
    else {
      head.chunk = await shelf.take(next);
      [head.keys, head.at] = [head.chunk.column(KEY, "sort") as SortKey[], 0];
    }
  }
  if (rows.length > 0) yield Chunk.concat(rows);
}

function without(chunk: Chunk): Chunk {
  return chunk.only(
    chunk.names.filter((name) => name !== KEY),
    "sort",
  );
}

function order(descending: boolean): (a: SortKey, b: SortKey) => number {
  const sign = descending ? -1 : 1;
  const missing = (key: SortKey) => key === undefined || key === null || Number.isNaN(key);
  return (a, b) => {
    if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b));
    if (a! < b!) return -sign;
    return a! > b! ? sign : 0;
  };
}
