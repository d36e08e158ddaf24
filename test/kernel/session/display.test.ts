// What cells show: values by the display rules, streams under the cell that wrote them, live displays.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Harness, sleep, until } from "./harness.ts";

let session: Harness;
beforeAll(() => {
  session = new Harness();
});
afterAll(() => session.close());

const drawn = (bundle: string): string => `{ [Symbol.for("Jupyter.display")]: () => (${bundle}) }`;

describe("values", () => {
  test.each([
    ["1 + 1", "2"],
    ["'text'", "'text'"],
    ["await 5", "5"],
    ["Promise.resolve([1])", "[ 1 ]"],
    ["new Map([[1, { a: 2 }]])", "Map(1) { 1 => { a: 2 } }"],
    ["({ get x() { throw new Error('ran') } })", "{ x: [Getter] }"],
    ["[Promise.resolve(1), (async () => [2])()]", "[ Promise { 1 }, Promise { [ 2 ] } ]"],
    ["class Later extends Promise<number> {} [Later.resolve(1)]", "[ Later [Promise] { 1 } ]"],
    ["null", "null"],
    ["let unshown = 5", undefined],
    ["void 5", undefined],
    ["undefined", undefined],
    ["Promise.resolve()", undefined],
    ["", undefined],
  ])("%s", async (code, text) => {
    expect((await session.run(code)).text).toBe(text);
  });

  test("a value that draws itself shows its bundle, bytes in base64", async () => {
    const { outputs } = await session.run(
      `(${drawn('{ "image/png": new Uint8Array([1, 2, 3]), "text/plain": "p" }')})`,
    );
    expect(outputs).toEqual([{ type: "execute_result", data: { "image/png": "AQID", "text/plain": "p" } }]);
  });

  test("so does the one name that the last statement declares", async () => {
    const { outputs } = await session.run(
      `const model = ${drawn('Promise.resolve({ "text/html": "<b>m</b>" })')}`,
    );
    expect(outputs).toEqual([{ type: "execute_result", data: { "text/html": "<b>m</b>" } }]);
  });

  test("a display that gives undefined shows nothing", async () => {
    expect((await session.run(`(${drawn("undefined")})`)).outputs).toEqual([]);
  });

  test("a live value that is also awaitable is shown first, then waited for", async () => {
    const { outputs, stdout } = await session.run(`({
      [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "run" }),
      then(resolve: (v: number) => void) { setTimeout(() => { console.log("finished"); resolve(1) }, 50) },
    })`);
    expect(outputs[0]).toMatchObject({ type: "execute_result", data: { "text/plain": "run" } });
    expect(stdout).toBe("finished\n");
  });

  test("a display that is no bundle is a clear error", async () => {
    const { failure } = await session.run(`(${drawn("5")})`);
    expect(failure?.evalue).toMatch(/MIME bundle.*this one is 5/);
  });

  test("what Node notes on timers and handles is not shown", async () => {
    const timer = await session.run("setTimeout(() => {}, 1)");
    expect(timer.text).toMatch(/^Timeout \{/);
    expect(timer.text).not.toMatch(/asyncId|kResourceStore/);
    const { text } = await session.run("import net from 'node:net'; net.createServer().listen(0).unref()");
    expect(text).not.toMatch(/AbortController/);
  });

  test("huge values are cut", async () => {
    const { text } = await session.run('"x".repeat(1e7)');
    expect(text!.length).toBeLessThan(110_000);
    expect(text).toMatch(/more characters/);
  });
});

test.each([
  [
    "(n) => { for (;;) { try { return n } catch (e) { n++ } } }",
    "(n) => { for (;;) { try { return n; } catch (e) { n++; } } }",
  ],
  ["(a) => a * 2", "(a) => a * 2"],
  ["[(x) => ({ x })][0]", "(x) => ({ x })"],
  ["(function () {return [1].map((x) => x)})", "function() { return [1].map((x) => x); }"],
  [
    "async (all) => { for await (const one of all) await one }",
    "async (all) => { for await (const one of all) {await one;} }",
  ],
])("the text of a function is as it was written: %s", async (code, expected) => {
  const { text } = await session.run(`String(${code}).replace(/\\s+/g, " ")`);
  expect(text).toBe(`'${expected}'`);
});

test("a name that holds a great deal does not slow the cells after it", async () => {
  await session.run("const many = Array.from({ length: 1e6 }, (_, i) => ({ i }))");
  await session.run("1");
  const started = performance.now();
  for (let i = 0; i < 5; i++) await session.run("1");
  expect(performance.now() - started).toBeLessThan(600);
});

describe("streams", () => {
  test("stdout and stderr, in order, in batches", async () => {
    const ran = await session.run(
      "for (let i = 0; i < 1000; i++) console.log(i); console.error('bad'); process.stdout.write('end')",
    );
    expect(ran.stdout).toBe(`${Array.from({ length: 1000 }, (_, i) => `${i}\n`).join("")}end`);
    expect(ran.stderr).toBe("bad\n");
    expect(ran.outputs.length).toBeLessThan(20);
  });

  test("come while a cell computes without a pause", async () => {
    const running = session.run(
      "for (const end = performance.now() + 500; performance.now() < end;) { console.log('x'); for (let i = 0; i < 1e6; i++); }",
    );
    const ran = await running;
    expect(ran.outputs.length).toBeGreaterThan(3);
  });

  test("late output goes to the cell that started it", async () => {
    const first = await session.run("setTimeout(() => console.log('late'), 100); 1");
    const second = await session.run("await new Promise((r) => setTimeout(r, 250)); console.log('mine')");
    await until(() => first.stdout.includes("late"));
    expect(first.stdout).toBe("late\n");
    expect(second.stdout).toBe("mine\n");
  });

  test("two cells' timers do not mix", async () => {
    const a = await session.run(
      "setTimeout(() => { console.log('a1'); setTimeout(() => console.log('a2'), 20) }, 20)",
    );
    const b = await session.run("setTimeout(() => console.log('b'), 30)");
    await until(() => a.stdout.includes("a2") && b.stdout.includes("b"));
    expect([a.stdout, b.stdout]).toEqual(["a1\na2\n", "b\n"]);
  });

  test("a child process's own output arrives too", async () => {
    const ran = await session.run(
      "import { spawnSync } from 'node:child_process'; spawnSync('echo', ['from outside'], { stdio: 'inherit' }); 1",
    );
    await until(() => ran.stdout.includes("from outside"));
  });

  test("console.clear clears", async () => {
    expect((await session.run("console.clear()")).outputs).toEqual([{ type: "clear_output", wait: false }]);
  });
});

describe("the host seam", () => {
  test("displays and updates by id", async () => {
    const { outputs } = await session.run(`
      const host = (globalThis as any)[Symbol.for("lensor.host")];
      const id = host.display({ "text/plain": "0 %" });
      host.update(id, { "text/plain": "100 %" });
      host.display({ "text/html": "<i>named</i>" }, { id: "fixed" });`);
    const [shown, updated, named] = outputs as readonly { type: string; id: string }[];
    expect(shown).toMatchObject({ type: "display_data", data: { "text/plain": "0 %" } });
    expect(updated).toMatchObject({
      type: "update_display_data",
      data: { "text/plain": "100 %" },
      id: shown!.id,
    });
    expect(named).toMatchObject({ type: "display_data", id: "fixed" });
  });

  test("the end of a cell waits for what libraries registered, and reports what it throws", async () => {
    const other = new Harness();
    const ran = await other.run(`
      let failing = false;
      (globalThis as any)[Symbol.for("lensor.host")].onCellEnd(async () => {
        await new Promise((r) => setTimeout(r, 30));
        console.log("drained");
        if (failing) throw new Error("poisoned: matmul");
      });
      const fail = () => { failing = true };`);
    expect(ran.stdout).toBe("drained\n");
    const { failure } = await other.run("fail()");
    expect(failure?.evalue).toBe("poisoned: matmul");
    await other.close();
  });

  test("the signal is aborted when the cell is run again; repeating timers end; what the earlier run still says is dropped", async () => {
    const first = await session.run(
      `const seen: string[] = ((globalThis as any).seen = []);
       const signal = (globalThis as any)[Symbol.for("lensor.host")].signal();
       signal.addEventListener("abort", () => { seen.push("aborted"); console.log("aborted"); });
       invalidation.then(() => { seen.push("invalidated"); console.log("invalidated"); });
       setInterval(() => { seen.push("tick"); console.log("tick"); }, 20);`,
      { cell: "again" },
    );
    await until(() => first.stdout.includes("tick"));
    await session.run("1", { cell: "again" });
    const seen = (await session.run("(globalThis as any).seen")).text;
    expect(seen).toMatch(/'aborted',\s+'invalidated'/);
    await sleep(100);
    expect((await session.run("(globalThis as any).seen")).text).toBe(seen);
    expect(first.stdout).toMatch(/^(tick\n)+$/);
  });
});

describe("globals of a cell", () => {
  test("display(value) without await keeps its place, and the cell's end waits for what takes longer", async () => {
    const { outputs } = await session.run(`
      display(${drawn('{ "text/plain": "first" }')}); console.log("second");
      display(new Promise((r) => setTimeout(() => r("late"), 60))); void 0`);
    expect(outputs).toMatchObject([
      { type: "display_data", data: { "text/plain": "first" } },
      { type: "stream", text: "second\n" },
      { type: "display_data", data: { "text/plain": "'late'" } },
    ]);
    const broken = drawn("new Promise((_, r) => setTimeout(() => r(new Error('no bundle')), 30))");
    const { failure } = await session.run(`display(${broken}); 1`);
    expect(failure?.evalue).toBe("no bundle");
  });

  test("a bundle that is not JSON is a clear error", async () => {
    const { failure } = await session.run(`(${drawn('{ "application/json": { n: 1n } }')})`);
    expect(failure?.evalue).toMatch(/A display \(application\/json\) has to be JSON.*BigInt/);
  });

  test("display(value) shows in between", async () => {
    const { outputs } = await session.run(`await display(${drawn('{ "text/html": "<p>" }')}); 7`);
    expect(outputs.map((o) => o.type)).toEqual(["display_data", "execute_result"]);
  });

  test("prompt asks the front end", async () => {
    expect((await session.run("await prompt('name?')")).text).toBe("'typed name?'");
  });

  test("a front end that cannot ask is an error at the question", async () => {
    const failure = await session.process.execute(
      { code: "await prompt('name?')", silent: false, count: 1 },
      { output: () => {}, input: () => Promise.reject(new Error("This front end cannot ask.")) },
    );
    expect(failure?.evalue).toBe("This front end cannot ask.");
  });

  test("a silent run leaves no names and shows no value", async () => {
    const { outputs } = await session.run("const hidden = 1; hidden", { silent: true });
    expect(outputs).toEqual([]);
    expect((await session.run("typeof hidden")).text).toBe("'undefined'");
  });
});
