/**
 * What the guards cost tight numeric loops: the same text as cells run it and as plain JavaScript, in turns, in one
 * process. Each shape runs as its cell would; plain code is made from text, which no guard is compiled into.
 */
import { KernelClient } from "./client.ts";
import { ours } from "./contestants.ts";
import { type Figure, line } from "./figure.ts";

const MOST = 1.3;

/** Bodies of functions of `a`, a Float64Array of a million numbers, that return a number. */
const SHAPES = [
  ["for over a Float64Array", "let s = 0; for (let i = 0; i < a.length; i++) s += a[i] * a[i]; return s;"],
  [
    "the same without braces or product",
    "let s = 0; for (let i = 0; i < a.length; i++) s += a[i]; return s;",
  ],
  [
    "nested for, a 1000 x 1000 matrix",
    "let s = 0; for (let i = 0; i < 1000; i++) { for (let j = 0; j < 1000; j++) { s += a[i * 1000 + j] * j; } } return s;",
  ],
  ["while", "let s = 0, i = 0; while (i < a.length) { s = s * 0.5 + a[i]; i++; } return s;"],
  [
    "integers alone",
    "let h = 0; for (let i = 0; i < 1e6; i++) { h = (Math.imul(h, 31) + i) | 0; } return h;",
  ],
  ["for-of", "let s = 0; for (const x of a) s += x; return s;"],
  ["reduce with a callback", "return a.reduce((s, x) => s + x * x, 0);"],
  ["map with a callback", "return a.map((x) => x * 2)[5];"],
  [
    "a small function in a loop",
    "const f = (x) => x * x + 1; let s = 0; for (let i = 0; i < a.length; i++) s += f(a[i]); return s;",
  ],
  ["a recursive function", "const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(25);"],
] as const;

const cell = (body: string, rounds: number): string => `
  const a = new Float64Array(1e6).map((_, i) => (i % 17) / 17);
  const guarded = (a) => { ${body} };
  const plain = new Function("a", ${JSON.stringify(body)});
  const time = (f) => { const start = performance.now(); for (let i = 0; i < 5; i++) f(a); return performance.now() - start; };
  for (let i = 0; i < 5; i++) { time(guarded); time(plain); }
  const pairs = [];
  for (let i = 0; i < ${rounds}; i++) pairs.push(i % 2 ? [time(guarded), time(plain)] : [time(plain), time(guarded)].reverse());
  JSON.stringify({ guarded: pairs.map((p) => p[0]), plain: pairs.map((p) => p[1]) })`;

export const guards: Figure = {
  name: "guards",
  title: "a tight loop with guards, against plain JavaScript",
  async run(rounds) {
    const missed: string[] = [];
    const kernel = new KernelClient(ours);
    try {
      await kernel.ready();
      for (const [label, body] of SHAPES) {
        const { reply, outputs } = await kernel.execute(cell(body, 6 * rounds), { cellId: label });
        const result = outputs.find(({ type }) => type === "execute_result");
        if (!result) throw new Error(`${label}: ${String(reply.evalue)}`);
        const text = (result.content.data as Record<string, string>)["text/plain"]!;
        const { guarded, plain } = JSON.parse(text.slice(1, -1)) as Record<string, number[]>;
        // The best of many: whatever else runs on the machine only ever makes one of them slower.
        const best = (times: number[]): number => Math.min(...times);
        const ratio = best(guarded!) / best(plain!);
        line(
          label,
          `${ratio.toFixed(2)}x${ratio > MOST ? `: MISSED, at most ${MOST}x` : ""}`,
          `plain ${best(plain!).toFixed(2)} ms`,
        );
        if (ratio > MOST) missed.push(label);
      }
    } finally {
      await kernel.close();
    }
    return missed;
  },
};
