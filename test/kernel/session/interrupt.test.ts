// Stopping what runs, and surviving what dies: the session goes on, with its names where the process lived.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Harness, sleep, until } from "./harness.ts";

/** A process's state letter; a killed orphan may stay a zombie (Z) until its new parent looks. */
function processState(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "")[0]!;
  } catch {
    return "gone";
  }
}

let session: Harness;
beforeAll(async () => {
  session = new Harness();
  await session.run("let kept = 42");
});
afterAll(() => session.close());

describe("an interrupt stops", () => {
  test.each([
    ["a loop", "while (true) {}"],
    ["a loop that catches everything", "while (true) { try { while (true) {} } catch {} }"],
    ["an await that never settles", "await new Promise(() => {})"],
    ["a loop after an await", "await new Promise((r) => setTimeout(r, 10)); for (;;) {}"],
    ["a loop of awaits that never leave the microtask queue", "for (;;) await null"],
    ["a loop of timers", "for (;;) await new Promise((r) => setTimeout(r, 5))"],
    ["a loop in a timer", "setTimeout(() => { for (;;) {} }, 10); await new Promise(() => {})"],
    ["a recursion", "const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2)); fib(90)"],
    ["a child process", "require('node:child_process').execSync('sleep 30')"],
    [
      "a fetch through its signal",
      "await new Promise((_, no) => (globalThis as any)[Symbol.for('lensor.host')].signal().addEventListener('abort', no))",
    ],
  ])("%s", async (_, code) => {
    const { failure, ms } = await session.interrupted(code);
    expect(failure).toMatchObject({ ename: "Interrupt", evalue: "the cell was interrupted" });
    expect(ms).toBeLessThan(1000);
    expect((await session.run("kept")).text).toBe("42");
  });

  test("a cell that has only just been sent", async () => {
    const other = new Harness();
    const { failure } = await other.interrupted("await new Promise(() => {})", 0);
    expect(failure?.ename).toBe("Interrupt");
    const loop = await other.interrupted("while (true) {}", 0);
    expect(loop.failure?.ename).toBe("Interrupt");
    expect((await other.run("1")).text).toBe("1");
    await other.close();
  });

  test("a loop in the background that keeps a new cell from starting", async () => {
    await session.run("setTimeout(() => { for (;;) {} }, 10)");
    await sleep(50);
    const { failure, ms } = await session.interrupted("kept");
    expect(failure?.ename).toBe("Interrupt");
    expect(ms).toBeLessThan(1000);
    expect((await session.run("kept")).text).toBe("42");
  });

  test("nothing when nothing runs", async () => {
    session.process.interrupt();
    expect((await session.run("kept")).text).toBe("42");
  });

  test("what an interrupted cell would have gone on to do", async () => {
    const ran = await session.interrupted(
      "await new Promise((r) => setTimeout(r, 300)); for (;;) console.log('zombie')",
    );
    expect(ran.failure?.ename).toBe("Interrupt");
    await sleep(300);
    const next = await session.run("kept");
    expect(next.text).toBe("42");
    expect(ran.stdout.length).toBeLessThan(5000);
  });
});

test("the flag stays up until libraries have put down their work", async () => {
  const other = new Harness();
  // As a native kernel would, this looks at the flag now and then, from outside the interrupted cell's own code.
  await other.run(`
    const host = (globalThis as any)[Symbol.for("lensor.host")];
    const work = { on: false, seen: "nothing" };
    host.onCellEnd(async () => {
      for (let i = 0; work.on && i < 20; i++) {
        await new Promise((r) => setTimeout(r, 10));
        if (host.interruptFlag[0]) Object.assign(work, { seen: "the flag", on: false });
      }
    });`);
  const { failure } = await other.interrupted("work.on = true; await new Promise(() => {})");
  expect(failure?.ename).toBe("Interrupt");
  expect((await other.run("[work.seen, host.interruptFlag[0]]")).text).toBe("[ 'the flag', 0 ]");
  await other.close();
});

describe("a cell that cannot be stopped", () => {
  test("is ended with its process after the grace time, and a fresh session takes over", async () => {
    const other = new Harness({ graceMs: 300 });
    await other.run("const lost = 1");
    const { failure, ms } = await other.interrupted("/^(a+)+$/.test('a'.repeat(40) + 'b')");
    expect(failure?.ename).toBe("SessionLost");
    expect(failure?.evalue).toMatch(/did not stop within 0.3 s/);
    expect(ms).toBeLessThan(1500);
    expect((await other.run("typeof lost")).text).toBe("'undefined'");
    await other.close();
  });
});

describe("a session that dies", () => {
  test.each([
    ["process.exit(3)", /exit code 3/],
    ["process.abort()", /died of SIGABRT/],
    ["process.kill(process.pid, 'SIGKILL')", /was killed/],
    ["console.log('last words'); process.exit()", /exit code 0/],
  ])("%s", async (code, reason) => {
    const other = new Harness();
    const ran = await other.run(code);
    expect(ran.failure?.ename).toBe("SessionLost");
    expect(ran.failure?.evalue).toMatch(reason);
    expect(ran.failure?.evalue).toMatch(/run the cells again/);
    expect(ran.stderr).toBe("");
    if (code.includes("last words")) expect(ran.stdout).toBe("last words\n");
    expect((await other.run("1 + 1")).text).toBe("2");
    await other.close();
  });

  test("of a full heap says so", async () => {
    const other = new Harness({ env: { ...process.env, NODE_OPTIONS: "--max-old-space-size=64" } });
    const { failure, stderr } = await other.run("const all = []; for (;;) all.push(new Array(1e5).fill(0))");
    expect(failure?.evalue).toMatch(/ran out of memory/);
    expect(stderr).toBe("");
    await other.close();
  });

  test("while nothing runs is told under the last cell", async () => {
    const other = new Harness();
    const ran = await other.run("setTimeout(() => process.exit(9), 50)");
    await until(() => ran.stderr.includes("exit code 9"));
    expect((await other.run("2")).text).toBe("2");
    await other.close();
  });

  test("closing takes the cell's own child processes along", async () => {
    const other = new Harness();
    const { text } = await other.run("require('node:child_process').spawn('sleep', ['60']).pid");
    await other.close();
    await sleep(50);
    expect(["gone", "Z"]).toContain(processState(Number(text)));
  });
});
