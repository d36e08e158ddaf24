/** A completion: in a short session, idle and busy, and as one types in a notebook of 100 cells whose types build on each other. */
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "./client.ts";
import { ours } from "./contestants.ts";
import { against, type Figure, line, milliseconds, quantile, spread } from "./figure.ts";

const CELLS = 100;
const P50_MS = 15;

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
    return amongMany(rounds);
  },
};

/** Every request is about a text that the server has not seen, as when a person types. */
async function amongMany(rounds: number): Promise<string[]> {
  const kernel = new KernelClient(ours);
  try {
    await kernel.ready();
    await kernel.execute(
      "interface Step { index: number; words: string[] }\nconst step0 = { index: 0, words: [''] };",
    );
    for (let i = 1; i < CELLS; i++)
      await kernel.execute(
        `const step${i}: Step = { ...step${i - 1}, index: ${i} };\nfunction after${i}(a: Step) { return [a, step${i}].map((s) => s.words.length); }`,
      );
    const ask = async (code: string, expected: string): Promise<number> => {
      const start = performance.now();
      const { matches } = await kernel.request("complete_request", { code, cursor_pos: code.length });
      const ms = performance.now() - start;
      if (!(matches as string[]).includes(expected))
        throw new Error(
          `No "${expected}" among the completions of ${code}: ${String(matches).slice(0, 200)}`,
        );
      return ms;
    };
    line(
      `the first, which starts the server (${CELLS} cells)`,
      milliseconds(await ask("step99.wor", "words")),
    );
    const members: number[] = [];
    const names: number[] = [];
    for (let i = 0; i < 8 * rounds; i++) {
      members.push(await ask(`const first${i} = after${CELLS - 1}(step${i % CELLS}).fil`, "filter"));
      names.push(await ask(`const other${i} = step${i % CELLS}.words.length + after9`, `after9${i % 10}`));
    }
    line(`members among ${CELLS} cells`, spread(members));
    line(`names among ${CELLS} cells`, spread(names));
    return against(
      `a completion among ${CELLS} cells, p50`,
      quantile([...members, ...names], 0.5),
      P50_MS,
      "ms",
    );
  } finally {
    await kernel.close();
  }
}
