/** Things of ours beside each other: each in a process of its own, turn by turn, so that a busy machine is busy for all. */
import { type Job, Side } from "./side.ts";

/** Sides in turns, each in a process of its own: seconds by round. */
export async function turns(jobs: readonly Job[], rounds: number, threads: number): Promise<number[][]> {
  const sides: Side[] = [];
  try {
    for (const job of jobs) {
      const side = await Side.ours(threads);
      sides.push(side);
      await side.prepare(job);
      await side.run();
    }
    const seconds = jobs.map((): number[] => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, side] of sides.entries()) {
        const turn = await side.run();
        seconds[i]!.push(turn.seconds / turn.count);
      }
    return seconds;
  } finally {
    for (const side of sides) side.close();
  }
}

/** Of two sides' seconds, round by round: the first's to the second's. */
export function ratios([first, second]: readonly number[][]): number[] {
  return first!.map((seconds, i) => seconds / second![i]!);
}
