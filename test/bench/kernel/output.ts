/**
 * 50 MB printed by one cell: how soon the kernel answers others meanwhile, and what host and session's process weigh before,
 * at their most, and after. Memory from /proc: Linux only.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { weigh } from "../kernel-process.ts";
import { KernelClient } from "./client.ts";
import { ours } from "./contestants.ts";
import { against, type Figure, line, milliseconds, spread } from "./figure.ts";

const FLOODS = [
  ["in lines of 1 KB", "for (let i = 0; i < 50_000; i++) console.log('y'.repeat(999))"],
  ["in one line", "console.log('z'.repeat(50e6))"],
  [
    "for as long as it may",
    "const until = Date.now() + 3000; while (Date.now() < until) console.log('y'.repeat(999))",
  ],
] as const;

export const output: Figure = {
  name: "output",
  title: "50 MB printed by one cell",
  async run() {
    const missed: string[] = [];
    for (const [label, code] of FLOODS) {
      const kernel = new KernelClient(ours);
      try {
        await kernel.ready();
        await sleep(500);
        const before = weigh(kernel.process).rss;
        const pings: number[] = [];
        let most = before;
        let over = false;
        const running = kernel.execute(code).finally(() => {
          over = true;
        });
        while (!over) {
          const start = performance.now();
          await kernel.request("kernel_info_request", {}, "control");
          pings.push(performance.now() - start);
          most = Math.max(most, weigh(kernel.process).rss);
          await sleep(5);
        }
        const { ms, outputs } = await running;
        await sleep(3000);
        const after = weigh(kernel.process).rss;
        const shown = outputs.reduce((sum, { bytes }) => sum + bytes, 0);
        const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
        line(label, `${milliseconds(ms)}, ${megabytes(shown)} of it published`);
        line("  kernel_info meanwhile", spread(pings));
        missed.push(...against("  the slowest", Math.max(...pings), 100, "ms"));
        line("  resident before, at most, after", [before, most, after].map(megabytes).join(", "));
      } finally {
        await kernel.close();
      }
    }
    return missed;
  },
};
