// `split({ train: 0.9, test: 0.1 }, { seed })`: every row in exactly one part, at random, in its own order; parts have their
// shares to the row.

import { LensorError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { Chunk } from "../chunk.ts";
import { permutation } from "../random.ts";
import { CHUNK_ROWS } from "../source.ts";
import type { Step } from "../step.ts";
import { type SeedOptions, seedOf } from "./shuffle.ts";

/** The step of each part, by its name. */
export function split<K extends string>(shares: Readonly<Record<K, number>>, options: SeedOptions = {}) {
  const seed = seedOf("split", options);
  const parts = Object.entries(shares ?? {}) as [K, number][];
  const total = parts.reduce((sum, [, share]) => sum + share, 0);
  if (parts.length < 2 || parts.some(([, share]) => !(share > 0)) || Math.abs(total - 1) > 1e-9)
    throw new LensorError("split takes the share of each part", {
      expected: "{ train: 0.9, test: 0.1 }, shares above 0 that are 1 together",
      got: parts.length < 2 ? describe(shares) : parts.map(([name, share]) => `${name}: ${share}`).join(", "),
    });
  let before = 0;
  const steps = parts.map(([name, share], i): [K, Step] => {
    const [from, to] = [before, i === parts.length - 1 ? 1 : before + share];
    before = to;
    return [name, part(name, { shares, seed }, from, to)];
  });
  return Object.fromEntries(steps) as Record<K, Step>;
}

function part(name: string, told: { shares: object; seed: number }, from: number, to: number): Step {
  return {
    name: `split: ${name}`,
    options: { part: name, ...told },
    async *run(input) {
      let [block, done]: [number, number] = [0, 0];
      for await (const rows of blocks(input)) {
        const order = permutation("split", rows.length, told.seed, block++);
        // Bounds are rounded over all rows so far: shares come out right in the end, not block by block.
        const bound = (share: number) => Math.round(share * (done + rows.length)) - Math.round(share * done);
        yield rows.pick([...order.subarray(bound(from), bound(to))].sort((a, b) => a - b));
        done += rows.length;
      }
    },
  };
}

/** The rows in blocks of one size, whatever chunks they come in: a row's part depends on its place alone. */
async function* blocks(input: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  let open: Chunk[] = [];
  let count = 0;
  for await (const chunk of input) {
    open.push(chunk);
    count += chunk.length;
    if (count < CHUNK_ROWS) continue;
    const all = Chunk.concat(open);
    let at = 0;
    for (; at + CHUNK_ROWS <= all.length; at += CHUNK_ROWS) yield all.slice(at, at + CHUNK_ROWS);
    open = at < all.length ? [all.slice(at, all.length)] : [];
    count = all.length - at;
  }
  if (count > 0) yield Chunk.concat(open);
}
