// What a cell can break: its process, its memory, its pipes, the language itself. The kernel lives, says what happened,
// and the next cell runs; where the process lives, so do its variables.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Harness, plain, processState, type Ran, sleep, until } from "./harness.ts";

/** A session with something to lose. */
async function open(options: ConstructorParameters<typeof Harness>[0] = {}): Promise<Harness> {
  const session = new Harness(options);
  expect((await session.run("let kept = 42")).failure).toBeUndefined();
  return session;
}

/** The session was lost and said so, with the way on, and the next cell runs. */
async function expectLost(session: Harness, ran: Ran, reason: RegExp): Promise<void> {
  expect(ran.failure?.ename).toBe("SessionLost");
  expect(ran.failure?.evalue).toMatch(reason);
  expect(ran.failure?.evalue).toMatch(/Its variables are gone.*run the cells again/);
  expect((await session.run("typeof kept")).text).toBe("'undefined'");
  expect((await session.run("let kept = 1; kept")).text).toBe("1");
}

async function expectKept(session: Harness): Promise<void> {
  expect((await session.run("console.log('hi'); kept")).text).toBe("42");
  expect(session.printed).toBe("hi\n");
}

describe("a process that dies", () => {
  test.each([
    ["process.exit(3)", /exit code 3/],
    ["process.reallyExit(4)", /exit code 4/],
    ["await null; setTimeout(() => process.exit(6), 5); await new Promise(() => {})", /exit code 6/],
    ["process.abort()", /died of SIGABRT/],
    ["process.kill(process.pid, 'SIGSEGV')", /died of SIGSEGV/],
    ["process.kill(process.pid, 'SIGKILL')", /was killed/],
    [
      "process.removeAllListeners(); setTimeout(() => { throw 1 }); await new Promise(() => {})",
      /exit code 1/,
    ],
    ["console.log('last words'); process.exit()", /exit code 0/],
    ["require('node:fs').closeSync(3)", /closed pipes that belong to the session/],
    ["require('node:fs').closeSync(4); await new Promise(() => {})", /closed pipes/],
    ["require('node:fs').closeSync(5); await new Promise(() => {})", /closed pipes/],
  ])("%s", async (code, reason) => {
    const session = await open();
    const ran = await session.run(code);
    // The last of these may come before the thread that reads the pipe, which then says so itself.
    if (!/throw 1|closeSync\(5\)/.test(code)) expect(ran.stderr).toBe("");
    if (code.includes("last words")) expect(ran.stdout).toBe("last words\n");
    await expectLost(session, ran, reason);
    await session.close();
  });

  test.each([
    ["arrays", "const all = []; for (;;) all.push(new Array(1e5).fill(0))"],
    ["objects", "let all: unknown; for (;;) all = { all, text: Math.random().toString().repeat(10) }"],
    [
      "a timer",
      "const all = []; setInterval(() => all.push(new Array(1e6).fill(0))); await new Promise(() => {})",
    ],
  ])("of a full heap: %s", async (_, code) => {
    const session = await open({ env: { ...process.env, NODE_OPTIONS: "--max-old-space-size=64" } });
    const ran = await session.run(code);
    expect(ran.stderr).toBe("");
    await expectLost(session, ran, /ran out of memory/);
    await session.close();
  });

  test("while nothing runs is told under the last cell", async () => {
    const session = await open();
    const ran = await session.run("setTimeout(() => process.exit(9), 50)");
    await until(() => ran.stderr.includes("exit code 9"));
    expect((await session.run("2")).text).toBe("2");
    await session.close();
  });

  test("again and again", async () => {
    const session = await open();
    for (let time = 0; time < 4; time++)
      await expectLost(session, await session.run("process.abort()"), /SIGABRT/);
    await session.close();
  });

  test("takes the cells' own child processes along, as closing does", async () => {
    for (const end of ["die", "close"]) {
      const session = await open();
      const { text } = await session.run("require('node:child_process').spawn('sleep', ['60']).pid");
      if (end === "die") await session.run("process.abort()");
      else await session.close();
      await until(() => ["gone", "Z"].includes(processState(Number(text))));
      await session.close();
    }
  });
});

test.skipIf(process.platform !== "linux")(
  "under memory pressure the system ends the session's process first",
  async () => {
    const session = await open();
    const score = (pid: number | "self"): number =>
      Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"));
    expect(score(session.process.pid!)).toBeGreaterThanOrEqual(500);
    expect(score(session.process.pid!)).toBeGreaterThan(score("self"));
    const { text } = await session.run("require('node:child_process').spawn('sleep', ['60']).pid");
    expect(score(Number(text))).toBeGreaterThanOrEqual(500);
    await session.close();
  },
);

describe("what no guard reaches ends with its process, and the person is told how to go on", () => {
  let session: Harness;
  beforeAll(async () => {
    session = await open({ graceMs: 300 });
    const folder = join(session.folder, "node_modules/busy");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"name":"busy","type":"module","exports":"./busy.js"}');
    writeFileSync(join(folder, "busy.js"), "export const spin = () => { for (;;); };");
  });
  afterAll(() => session.close());

  test.each([
    ["a hanging regular expression", "/^(a+)+$/.test('a'.repeat(40) + 'b')"],
    ["an npm package's own loop", "import { spin } from 'busy'; spin()"],
    ["one in a timer", "import { spin } from 'busy'; setTimeout(spin); await new Promise(() => {})"],
    ["a wait that blocks the thread", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"],
    ["code that is made from text", "new Function('for (;;);')()"],
  ])("%s", async (_, code) => {
    await session.run("let kept = 42");
    const ran = await session.interrupted(code);
    await expectLost(
      session,
      ran,
      /the cell did not stop within 0.3 s of the interrupt, so its process was ended/,
    );
  });
});

describe("mistakes that stay mistakes", () => {
  let session: Harness;
  beforeAll(async () => {
    session = await open();
  });
  afterAll(() => session.close());

  test("a cell that nests deeper than the compiler goes", async () => {
    const { failure } = await session.run(`${"[".repeat(20_000)}${"]".repeat(20_000)}`);
    expect(failure).toMatchObject({ ename: "SyntaxError" });
    expect(failure?.evalue).toMatch(/nests too deep/);
    await expectKept(session);
  });

  test.each([
    ["a stack that overflows", "const f = (n: number): number => 1 + f(n + 1); f(0)", /call stack/],
    ["a string that is too long", "'x'.repeat(2 ** 30)", /string length/],
    [
      "a thrown proxy",
      "throw new Proxy({}, { get() { throw 1 }, has() { throw 1 }, getPrototypeOf() { throw 1 } })",
      /looked into/,
    ],
    [
      "a thrown thing whose name throws",
      "throw Object.defineProperty(new Error(), 'name', { get() { throw 1 } })",
      /looked into/,
    ],
    [
      "a display that nests too deep",
      "let deep: unknown[] = []; for (let i = 0; i < 1e5; i++) deep = [deep]; host.display({ 'application/json': deep })",
      /call stack/,
    ],
    [
      "a display that is too large",
      "host.display({ 'text/plain': 'x'.repeat(200e6) })",
      /may have 64 MB, and this one has 201 MB/,
    ],
  ])("%s", async (_, code, reason) => {
    await session.run("const host = (globalThis as any)[Symbol.for('lensor.host')]");
    const { failure } = await session.run(code);
    expect(failure?.evalue).toMatch(reason);
    await expectKept(session);
  });

  test.each([
    ["a rejection", "Promise.reject(new Error('lost')); 1", /Uncaught Error: lost\n\nCell \[\d+\], line 1/],
    ["an exception in a timer", "setTimeout(() => { throw new Error('late') }, 5)", /Uncaught Error: late/],
    [
      "one of a proxy",
      "Promise.reject(new Proxy({}, { get() { throw 1 } })); 1",
      /Uncaught Thrown: a value was thrown that cannot/,
    ],
    ["an emitter's error", "new (require('node:events'))().emit('error', new Error('emitted'))", /emitted/],
    [
      "one in a worker thread",
      "const { Worker } = require('node:worker_threads'); new Worker('throw new Error(\"inner\")', { eval: true })",
      /inner/,
    ],
  ])("nobody awaits: %s", async (_, code, message) => {
    const ran = await session.run(code);
    const said = (): string => plain({ ename: "", evalue: "", traceback: [ran.stderr, plain(ran.failure)] });
    await until(() => message.test(said()));
    await expectKept(session);
  });

  test.each([
    ["another folder", "process.chdir('/')"],
    [
      "a worker thread that spins",
      "const { Worker } = require('node:worker_threads'); const spinning = new Worker('for (;;);', { eval: true })",
    ],
    [
      "a worker thread that exits",
      "new (require('node:worker_threads').Worker)('process.exit(1)', { eval: true })",
    ],
    ["streams that are closed", "process.stdout.end(); process.stderr.destroy()"],
    [
      "nonsense on the session's own pipe",
      `require('node:fs').writeSync(3, 'x\\n{"event":"done","run":1}\\nnull\\n[]\\n4\\n{"event":"?"}\\n{"eve')`,
    ],
    ["all listeners gone", "process.removeAllListeners()"],
    ["an `exit` that was only said", "process.emit('exit', 3)"],
    [
      "no file descriptors left",
      "const open = []; try { for (;;) open.push(require('node:fs').openSync('/dev/null')) } catch {} for (const fd of open) require('node:fs').closeSync(fd)",
    ],
    [
      "a flag that is not the cell's to raise",
      "(globalThis as any)[Symbol.for('lensor.host')].interruptFlag.fill(7)",
    ],
  ])("%s", async (_, code) => {
    const { failure } = await session.run(code);
    expect(failure).toBeUndefined();
    await expectKept(session);
    const stopped = await session.interrupted("for (;;);", 30);
    expect(stopped.failure?.ename).toBe("Interrupt");
    await expectKept(session);
  });
});

describe("a cell that changes the language itself", () => {
  test.each([
    [
      "fake timers",
      "for (const name of ['setTimeout', 'clearTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'] as const) (globalThis as any)[name] = () => { throw new Error('fake') }",
    ],
    [
      "no globals of Node's",
      "for (const name of ['process', 'Buffer', 'performance', 'AbortController'] as const) (globalThis as any)[name] = undefined",
    ],
    ["another JSON", "JSON.stringify = (() => 'nonsense') as any; (globalThis as any).Atomics = null"],
    [
      "frozen globals",
      "Object.freeze(globalThis); for (const one of [Object, Array, Promise, Map, Set, Error, Function, String]) Object.freeze(one.prototype)",
    ],
    ["properties everywhere", "(Object.prototype as any).event = 'x'; (Array.prototype as any).last = 1"],
    [
      "functions of Node's modules",
      "Object.assign(require('node:fs'), { writeSync: null, readFileSync: null }); require('node:util').inspect = null",
    ],
    [
      "how stacks are written",
      "Error.prepareStackTrace = () => { throw new Error('no') }; Error.stackTraceLimit = 0",
    ],
  ])("is not in the session's way: %s", async (_, code) => {
    const session = await open();
    expect((await session.run(`${code}; 1`)).failure).toBeUndefined();
    await expectKept(session);
    const stopped = await session.interrupted("for (;;);", 50);
    expect(stopped.failure?.ename).toBe("Interrupt");
    await expectKept(session);
    await session.close();
  });

  test.each([
    ["no promises", "(globalThis as any).Promise = null"],
    ["arrays that fail", "Array.prototype.push = Array.prototype.map = () => { throw new Error('no') }"],
    ["objects that say what they like", "(Object.prototype as any).toJSON = () => 'x'"],
    [
      "functions that cannot be called",
      "Function.prototype.apply = Function.prototype.call = () => { throw new Error('no') }",
    ],
    [
      "nothing that was",
      "for (const name of Object.getOwnPropertyNames(globalThis)) delete (globalThis as any)[name]",
    ],
  ])("fails, or loses the session with the reason, and a restart is enough: %s", async (_, code) => {
    const session = await open();
    const said: string[] = [];
    for (const cell of [code, "kept", "kept"]) {
      const { failure } = await session.run(cell);
      said.push(failure?.ename === "SessionLost" ? failure.evalue : "");
    }
    // Whatever became of those cells, each was answered; a loss names its cause.
    for (const loss of said.filter(Boolean))
      expect(loss).toMatch(/changed built-ins of JavaScript|exit code/);
    const ended = session.process.pid!;
    process.kill(ended, "SIGKILL");
    await until(() => ![undefined, ended].includes(session.process.pid));
    expect((await session.run("1 + 1")).text).toBe("2");
    await session.close();
  });
});

describe("output without end", () => {
  const LEFT_OUT =
    /\[This cell prints more than a notebook can show: after 16 million characters the rest is left out/;

  test.each([
    [
      "50 MB in pieces",
      "for (let i = 0; i < 50 * 1024; i++) process.stdout.write('y'.repeat(1023) + '\\n'); 'done'",
    ],
    ["100 MB in one line", "console.log('z'.repeat(100e6)); 'done'"],
    [
      "from a child process",
      "require('node:child_process').execSync('head -c 60000000 /dev/zero | tr \"\\\\0\" x', { stdio: 'inherit' }); 'done'",
    ],
  ])("is cut, and says so: %s", async (_, code) => {
    const session = await open();
    const ran = await session.run(code);
    expect(ran.text).toBe("'done'");
    await until(() => LEFT_OUT.test(ran.stdout));
    expect(ran.stdout.length).toBeGreaterThan(15e6);
    expect(ran.stdout.length).toBeLessThan(30e6);
    expect(ran.stdout + ran.stderr).toMatch(/\[\d+\.\d million characters were left out\]/);
    await expectKept(session);
    await session.close();
  });

  test("does not take from the next cell, and can be stopped", async () => {
    const session = await open();
    const { failure, stdout } = await session.interrupted("for (;;) console.log('x'.repeat(1000))", 1000);
    expect(failure?.ename).toBe("Interrupt");
    expect(stdout.length).toBeLessThan(30e6);
    await expectKept(session);
    await session.close();
  });

  test("keeps pairs of surrogates together where text is cut into pieces", async () => {
    const session = await open();
    const { stdout } = await session.run("process.stdout.write('a' + '😀'.repeat(400_000))");
    expect(stdout).toBe(`a${"😀".repeat(400_000)}`);
    await session.close();
  });
});

describe("a cell that is run again", () => {
  test("drops what its earlier run still says; other cells keep theirs", async () => {
    const session = await open();
    const ticking = (word: string): string =>
      `const tick = () => { console.log('${word}'); display('${word}'); setTimeout(tick, 10) }; tick()`;
    const first = await session.run(ticking("first"), { cell: "a" });
    const other = await session.run(ticking("other"), { cell: "b" });
    const unnamed = await session.run(ticking("unnamed"));
    await until(() => first.outputs.length > 4 && unnamed.outputs.length > 4);
    const second = await session.run("1", { cell: "a" });
    const [before, seen] = [first.outputs.length, other.outputs.length];
    await until(() => other.outputs.length > seen + 4);
    const more = unnamed.outputs.length;
    await until(() => unnamed.outputs.length > more + 4);
    expect(first.outputs.length).toBe(before);
    expect(second.outputs.map((output) => output.type)).toEqual(["execute_result"]);
    await session.close();
  });

  test("and one that is deleted is silent", async () => {
    const session = await open();
    const ran = await session.run("const tick = () => { console.log(1); setTimeout(tick, 10) }; tick()", {
      cell: "a",
    });
    await until(() => ran.stdout.length > 4);
    await session.run("1", { cell: "b", deleted: ["a"] });
    const { length } = ran.stdout;
    await sleep(60);
    expect(ran.stdout.length).toBe(length);
    await session.close();
  });
});
