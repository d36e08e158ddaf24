// `shuffle({ seed })`: all rows in another order, every one equally likely. Rows are dealt to piles at random, and each pile is
// shuffled when its turn comes, so that only one of them has to be in memory. `sample(n, { seed })`: some of the rows, in their
// own order.

import { checkNames, checkNumber } from "../../options.ts";
import { checkSeed } from "../../tensor/random.ts";
import { Chunk } from "../chunk.ts";
import { draws, permutation } from "../random.ts";
import { Shelf } from "../shelf.ts";
import { CHUNK_ROWS } from "../source.ts";
import type { Step } from "../step.ts";

export interface SeedOptions {
  /** 0 by default: the same rows at every reading. */
  seed?: number;
}

const PILES = 64;

export function shuffle(options: SeedOptions = {}): Step {
  const seed = seedOf("shuffle", options);
  return {
    name: "shuffle",
    options: { seed },
    async *run(input) {
      const shelf = new Shelf();
      try {
        const piles = Array.from({ length: PILES }, () => ({
          kept: [] as number[],
          open: [] as Chunk[],
          rows: 0,
        }));
        const draw = draws("shuffle", seed);
        const close = async (pile: (typeof piles)[number]) => {
          if (pile.rows > 0) pile.kept.push(await shelf.put(Chunk.concat(pile.open)));
          [pile.open, pile.rows] = [[], 0];
        };
        for await (const chunk of input) {
          const dealt: number[][] = piles.map(() => []);
          for (let i = 0; i < chunk.length; i++) dealt[Math.floor(draw() * PILES)]!.push(i);
          for (const [i, pile] of piles.entries()) {
            if (dealt[i]!.length === 0) continue;
            pile.open.push(chunk.pick(dealt[i]!));
            pile.rows += dealt[i]!.length;
            if (pile.rows >= CHUNK_ROWS) await close(pile);
          }
        }
        for (const [i, pile] of piles.entries()) {
          await close(pile);
          if (pile.kept.length === 0) continue;
          const whole = Chunk.concat(await Promise.all(pile.kept.map((number) => shelf.take(number))));
          const order = [...permutation("shuffle", whole.length, seed, i + 1)];
          for (let at = 0; at < order.length; at += CHUNK_ROWS)
            yield whole.pick(order.slice(at, at + CHUNK_ROWS));
        }
      } finally {
        await shelf.close();
      }
    },
  };
}

/** @param count Rows, a whole number; or a share of them between 0 and 1. */
export function sample(count: number, options: SeedOptions = {}): Step {
  const seed = seedOf("sample", options);
  checkNumber("sample", "count", count, { least: 0, above: true, ...(count >= 1 && { whole: true }) });
  return {
    name: "sample",
    options: { count, seed },
    async *run(input) {
      const draw = draws("sample", seed);
      if (count < 1) {
        for await (const chunk of input)
          yield chunk.pick(Array.from({ length: chunk.length }, (_, i) => i).filter(() => draw() < count));
        return;
      }
      // Of rows with equal chances those with the largest keys stay (Vitter's reservoir, by order of draws).
      const kept: { at: number; row: Chunk }[] = [];
      let at = 0;
      for await (const chunk of input)
        for (let i = 0; i < chunk.length; i++, at++) {
          const place = kept.length < count ? kept.length : Math.floor(draw() * (at + 1));
          if (place < count) kept[place] = { at, row: chunk.pick([i]) };
        }
      kept.sort((a, b) => a.at - b.at);
      for (let from = 0; from < kept.length; from += CHUNK_ROWS)
        yield Chunk.concat(kept.slice(from, from + CHUNK_ROWS).map(({ row }) => row));
    },
  };
}

export function seedOf(call: string, options: SeedOptions): number {
  checkNames(call, options, ["seed"]);
  return checkSeed(options.seed ?? 0, call);
}
