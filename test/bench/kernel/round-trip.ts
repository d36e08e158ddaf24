/** A trivial cell's round trip: from the request's sending to reply and idle status, of text the kernel has not seen before. */
import { KernelClient } from "./client.ts";
import { ours, peers } from "./contestants.ts";
import { against, type Figure, line, quantile, spread } from "./figure.ts";

const WARM_UP = 50;

export const roundTrip: Figure = {
  name: "round-trip",
  title: "a trivial cell, request to reply and idle",
  async run(rounds) {
    let missed: string[] = [];
    for (const contestant of [ours, ...peers]) {
      const kernel = new KernelClient(contestant);
      const times: number[] = [];
      try {
        await kernel.ready();
        for (let i = 0; i < WARM_UP + 60 * rounds; i++) {
          // Cells of a notebook of twenty, each with a new text every time.
          const { ms } = await kernel.execute(`${i} + 1`, { cellId: `cell-${i % 20}` });
          if (i >= WARM_UP) times.push(ms);
        }
        line(contestant.name, spread(times));
        if (contestant === ours) missed = against("", quantile(times, 0.5), 3, "ms");
      } catch (error) {
        if (contestant === ours) throw error;
        line(contestant.name, times.length ? spread(times) : "", `(${(error as Error).message})`);
      } finally {
        await kernel.close();
      }
    }
    return missed;
  },
};
