/** What starting the kernel costs in time and memory, the median of some rounds. */
import { measureKernel } from "../kernel-process.ts";
import { type Figure, line, quantile } from "./figure.ts";

export const start: Figure = {
  name: "start",
  title: "start, and rest",
  async run(rounds) {
    const all: Awaited<ReturnType<typeof measureKernel>>[] = [];
    for (let round = 0; round < rounds; round++) all.push(await measureKernel());
    const median = (field: keyof (typeof all)[number]) =>
      quantile(
        all.map((figures) => figures[field]),
        0.5,
      );
    const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
    line("start to the reply to kernel_info", seconds(median("info")));
    line("start to the reply to the first cell", seconds(median("cell")));
    line("at rest, host and child together", `${megabytes(median("rss"))} resident`);
    line("the same, shared pages counted once", megabytes(median("pss")));
    return [];
  },
};
