// Stopping what runs, again and again and at any moment: the cell ends, what came before it is whole, the next one runs.
// What dies, and what cannot be stopped otherwise, is in crash.test.ts; native work in native.test.ts.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Harness, processState, sleep, TIMES, until } from "./harness.ts";

let session: Harness;
beforeAll(async () => {
  session = new Harness({ graceMs: 5000 });
  await session.run("let kept = 42; const grown = [1, 2]; const add = (n: number) => grown.push(n); add(3)");
});
afterAll(() => session.close());

/** Moments from before the cell has begun to well into it. */
const moment = (time: number): number => (time * 37) % 110;

async function isWhole(): Promise<void> {
  const { text, failure } = await session.run("[kept, ...grown]");
  expect(failure).toBeUndefined();
  expect(text).toBe("[ 42, 1, 2, 3 ]");
}

const limit = { timeout: 20_000 + TIMES * 2000 };

describe(`an interrupt stops, ${TIMES} times`, () => {
  test.each([
    ["a loop", "while (true) {}"],
    ["a loop without a body", "for (;;);"],
    ["a loop that catches everything", "while (true) { try { while (true) {} } catch {} }"],
    ["a loop whose clean-up goes on", "for (;;) { try { for (;;); } finally { continue } }"],
    ["an await that never settles", "await new Promise(() => {})"],
    ["a loop after an await", "await new Promise((r) => setTimeout(r, 10)); for (;;) {}"],
    ["a loop of awaits that never leave the microtask queue", "for (;;) await null"],
    ["a loop of timers", "for (;;) await new Promise((r) => setTimeout(r, 5))"],
    ["a loop in a timer", "setTimeout(() => { for (;;) {} }, 10); await new Promise(() => {})"],
    ["a loop in an immediate", "setImmediate(() => { for (;;) {} }); await new Promise(() => {})"],
    ["timers without end", "const again = () => setTimeout(again); again(); await new Promise(() => {})"],
    ["a chain of ticks", "const next = () => process.nextTick(next); next(); await new Promise(() => {})"],
    ["a recursion", "const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2)); fib(90)"],
    ["a generator without end", "const all = (function* () { for (;;) yield 1 })(); for (const _ of all);"],
    ["a callback of a built-in", "new Set([1]).forEach((one, _, set) => { set.delete(one); set.add(one); })"],
    ["a getter that loops while it is shown", "({ [Symbol.for('Jupyter.display')]() { for (;;); } })"],
    ["a loop that prints", "for (;;) console.log('more')"],
    [
      "a fetch through its signal",
      "await new Promise((_, no) => (globalThis as any)[Symbol.for('lensor.host')].signal().addEventListener('abort', no))",
    ],
    ["a child process that is waited for", "require('node:child_process').execSync('sleep 30')"],
    [
      "a child process whose child ignores the signal",
      `require('node:child_process').execSync("sh -c 'trap \\"\\" INT; sleep 30'; true")`,
      // Stopped by the next rung, a second later.
      Math.ceil(TIMES / 5),
    ],
  ])("%s", limit, async (_, code, times = TIMES) => {
    for (let time = 0; time < times; time++) {
      const { failure } = await session.interrupted(code, moment(time));
      expect(failure).toMatchObject({ ename: "Interrupt", evalue: "the cell was interrupted" });
      await isWhole();
    }
  });

  test("a child process that runs beside, with its own children", limit, async () => {
    for (let time = 0; time < TIMES; time++) {
      const code = `
        const { spawn } = require("node:child_process");
        const family = spawn("sh", ["-c", "sleep 30 & echo $! $$; wait"], { stdio: ["ignore", "pipe", "inherit"] });
        family.stdout.on("data", (text) => console.log(String(text)));
        await new Promise(() => {})`;
      const running = session.run(code);
      await until(() => session.printed.includes("\n"), 15_000);
      session.process.interrupt();
      const { failure, stdout } = await running;
      expect(failure?.ename).toBe("Interrupt");
      const ids = stdout.trim().split(" ").map(Number);
      expect(ids.length).toBe(2);
      await isWhole();
      // What a shell starts behind itself ignores Ctrl-C: it goes with the next rung.
      await until(() => ids.every((id) => ["gone", "Z"].includes(processState(id))), 10_000);
    }
  });

  test("a cell that has only just been sent to a session that is only just starting", limit, async () => {
    for (let time = 0; time < Math.ceil(TIMES / 5); time++) {
      const other = new Harness();
      for (const code of ["await new Promise(() => {})", "for (;;);"]) {
        const { failure } = await other.interrupted(code, 0);
        expect(failure?.ename).toBe("Interrupt");
      }
      expect((await other.run("1")).text).toBe("1");
      await other.close();
    }
  });
});

test("nothing of a cell runs that was interrupted before it began", async () => {
  await session.run("setTimeout(() => { for (;;) {} }, 10)");
  await sleep(50);
  const { failure, stdout } = await session.interrupted("console.log('begun'); kept = 7");
  expect(failure?.ename).toBe("Interrupt");
  expect(stdout).toBe("");
  await isWhole();
});

test("a server that an earlier cell runs outlives the interrupt of a later one, and goes with the session", async () => {
  const other = new Harness();
  const { text } = await other.run("require('node:child_process').spawn('sleep', ['60']).pid");
  await sleep(20);
  const { failure } = await other.interrupted("require('node:child_process').execSync('sleep 30')");
  expect(failure?.ename).toBe("Interrupt");
  expect(processState(Number(text))).toBe("S");
  await other.close();
  await until(() => ["gone", "Z"].includes(processState(Number(text))));
});

test("an interrupt stops nothing when nothing runs", async () => {
  session.process.interrupt();
  await isWhole();
});

test("an interrupt between cells stops a loop in the background, and the next cell runs", async () => {
  await session.run("setTimeout(() => { for (;;) {} }, 30)");
  await sleep(200);
  session.process.interrupt();
  await isWhole();
});

test("an interrupted cell does not go on later", async () => {
  const ran = await session.interrupted(
    "await new Promise((r) => setTimeout(r, 300)); for (;;) console.log('zombie')",
  );
  expect(ran.failure?.ename).toBe("Interrupt");
  await sleep(300);
  await isWhole();
  expect(ran.stdout.length).toBeLessThan(5000);
});

test("the flag stays up until libraries have put down their work", async () => {
  const other = new Harness();
  // As a native kernel would, this looks at the flag now and then, in code that no guard is compiled into.
  await other.run(`
    const host = (globalThis as any)[Symbol.for("lensor.host")];
    const work = { on: false, seen: "nothing" };
    const poll = new Function("work", "flag", \`return (async () => {
      for (let i = 0; work.on && i < 20; i++) {
        await new Promise((r) => setTimeout(r, 10));
        if (flag[0]) Object.assign(work, { seen: "the flag", on: false });
      }
    })()\`);
    host.onCellEnd(poll.bind(undefined, work, host.interruptFlag));`);
  const { failure } = await other.interrupted("work.on = true; await new Promise(() => {})");
  expect(failure?.ename).toBe("Interrupt");
  expect((await other.run("[work.seen, host.interruptFlag[0]]")).text).toBe("[ 'the flag', 0 ]");
  await other.close();
});
