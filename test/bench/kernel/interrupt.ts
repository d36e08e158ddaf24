/**
 * How long an interrupt takes, from its sending to the stopped cell's reply and idle status, over all that a cell may be
 * doing: code, waiting, native work, and a child process.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "./client.ts";
import { ours } from "./contestants.ts";
import { against, type Figure, line, quantile, spread } from "./figure.ts";

const SETUP = `
  import { hub, tensor } from "lensor";
  const model = await hub.load("smollm2-135m-instruct");
  const text = "It was the best of times, it was the worst of times. ".repeat(300);
  const large = tensor.randn([2000, 2000], { seed: 1 });
  const kept = 42;`;

const KINDS = [
  ["a loop", "for (;;);"],
  [
    "a recursive function",
    "const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2)); fib(90)",
  ],
  ["a loop after an await", "await null; for (;;);"],
  ["an await that never settles", "await new Promise(() => {})"],
  ["a timer's callback", "setTimeout(() => { for (;;); }); await new Promise(() => {})"],
  [
    "a chain of large products",
    "let x = large; for (let i = 0; i < 100; i++) x = x.matmul(large); await x.data()",
  ],
  ["the reading of a long prompt", "await model.prefill(text)"],
  ["a reply under way", 'await model.generate("Once", { maxTokens: 5000, temperature: 1, seed: 1 })'],
  ["a child process that is waited for", "require('node:child_process').execSync('sleep 30')"],
  [
    "one beside, with children of its own",
    "require('node:child_process').spawn('sh', ['-c', 'sleep 30; sleep 30']); await new Promise(() => {})",
  ],
] as const;

export const interrupt: Figure = {
  name: "interrupt",
  title: "an interrupt, sending to the cell's reply and idle",
  async run(rounds) {
    const all: number[] = [];
    const kernel = new KernelClient(ours);
    try {
      await kernel.ready();
      const { reply } = await kernel.execute(SETUP);
      if (reply.status !== "ok") throw new Error(String(reply.evalue));
      for (const [label, code] of KINDS) {
        const times: number[] = [];
        for (let i = 0; i < 4 * rounds; i++) {
          const running = kernel.execute(code);
          await sleep(60 + ((i * 37) % 200));
          const start = performance.now();
          await kernel.interrupt();
          const stopped = await running;
          times.push(performance.now() - start);
          if (stopped.reply.ename !== "Interrupt")
            throw new Error(`${label}: ${String(stopped.reply.ename)}: ${String(stopped.reply.evalue)}`);
          const { reply: next } = await kernel.execute("if (kept !== 42) throw new Error('lost')");
          if (next.status !== "ok") throw new Error(`After ${label}: ${String(next.evalue)}`);
        }
        line(label, spread(times));
        all.push(...times);
      }
      line("all of them", spread(all));
    } finally {
      await kernel.close();
    }
    return against("", quantile(all, 0.95), 300, "ms");
  },
};
