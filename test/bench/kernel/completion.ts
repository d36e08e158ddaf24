/** A completion, while nothing runs and while a cell keeps the session's thread busy. */
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "./client.ts";
import { ours } from "./contestants.ts";
import { type Figure, line, spread } from "./figure.ts";

export const completion: Figure = {
  name: "completion",
  title: "a completion",
  async run(rounds) {
    const kernel = new KernelClient(ours);
    try {
      await kernel.ready();
      await kernel.execute("const words = ['a', 'b']; const wordCount = words.length;");
      for (const [label, code] of [
        ["while nothing runs", undefined],
        ["while a cell waits", "await new Promise(() => {})"],
        ["while a cell computes", "for (;;);"],
      ] as const) {
        const running = code && kernel.execute(code);
        if (running) await sleep(200);
        const times: number[] = [];
        for (let i = 0; i < 4 * rounds; i++) {
          const start = performance.now();
          const { matches } = await kernel.request("complete_request", { code: "wor", cursor_pos: 3 });
          times.push(performance.now() - start);
          if (!(matches as string[]).includes("words"))
            throw new Error(`No "words" among ${String(matches)}`);
        }
        line(label, spread(times));
        if (running) {
          await kernel.interrupt();
          await running;
        }
      }
    } finally {
      await kernel.close();
    }
    return [];
  },
};
