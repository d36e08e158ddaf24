// Reactive notebooks through the real kernel: a front end tells the cells over a comm, the kernel plans, cells run in its child.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FrontEnd, sleep, until } from "../frontend.ts";

let page: FrontEnd;
beforeEach(async () => {
  page = await FrontEnd.open();
});
afterEach(() => page.close());

function cells(...sources: string[]): string[] {
  return sources.map((source) => page.insert(page.order.length, source));
}
const ran = () => page.log.map(({ cell }) => cell);
const state = (cell: string) => page.marks.get(cell)?.state;
const why = (cell: string) => page.marks.get(cell)?.why;

describe("in mode auto", () => {
  test("a cell brings the stale cells above it, and those below that have run before follow", async () => {
    const [a, b, c] = cells("let x = 1; x", "let y = x + 1; y", "y * 10");
    page.connect();
    await page.run(c!);
    expect(ran()).toEqual([a, b, c]);
    expect(page.shown.get(c!)).toBe("20");
    page.edit(a!, "let x = 5; x");
    page.tell();
    await until(() => state(c!) === "stale");
    expect([state(a!), why(a!)]).toEqual(["stale", "it was edited since it ran"]);
    expect(why(b!)).toBe("`x` comes from [1], which was edited since it ran");
    await page.run(a!);
    await page.settle();
    expect(ran()).toEqual([a, b, c, a, b, c]);
    expect(page.log.map(({ count }) => count)).toEqual([1, 2, 3, 4, 5, 6]);
    expect([page.shown.get(c!), state(c!)]).toEqual(["60", "fresh"]);
  });

  test("Run All runs every cell once, in order, whatever follows or is planned", async () => {
    const ids = cells("let x = 1", "let y = x", "await new Promise((r) => setTimeout(r, 50)); y", "x + y");
    page.connect();
    await page.run(...ids);
    await page.run(ids[0]!);
    const before = page.log.length;
    await page.run(...ids);
    await page.settle();
    const after = ran().slice(before);
    // What was under way by itself may still come first; then each cell once.
    expect(after.slice(-4)).toEqual(ids);
    expect(after.length).toBeLessThanOrEqual(5);
  });

  test("an error cancels what rests on it, at the cell, and runs the others", async () => {
    const [a, b, c, d] = cells(
      "let x = 1",
      "if (x > 1) throw new Error('no'); let y = x; y",
      "y + 1",
      "x + 100",
    );
    page.connect();
    await page.run(a!, b!, c!, d!);
    page.edit(a!, "let x = 2");
    await page.run(a!);
    await page.settle();
    expect(page.shown.get(b!)).toBe("Error: no");
    expect([state(b!), state(c!), state(d!)]).toEqual(["error", "stale", "fresh"]);
    expect(why(c!)).toBe("`y` comes from [6], which failed");
    expect(page.shown.get(d!)).toBe("102");
    const executed = await page.run(c!);
    expect(executed.map(({ status }) => status)).toEqual(["error", "aborted"]);
    expect(page.shown.get(c!)).toMatch(/^Cancelled: Not run: \[\d+\] failed, and this cell uses its `y`.$/);
  });

  test("a cell with magics has its names like any other; %reset takes all of them, and no cell has run", async () => {
    const [a, b, c] = cells("%%time\nlet x = 2", "x * 10", "%reset");
    page.connect();
    await page.run(b!);
    expect(ran()).toEqual([a, b]);
    expect(page.shown.get(b!)).toBe("20");
    await page.run(c!);
    await until(() => state(b!) === "new");
    expect(state(a!)).toBe("new");
    await page.run(b!);
    expect(ran()).toEqual([a, b, c, a, b]);
    expect(page.shown.get(b!)).toBe("20");
  });

  test("a value changed in place is made anew before it is changed again", async () => {
    const [a, b, c] = cells("const o = { n: 0 }", "o.n += 1; o.n", "o.n");
    page.connect();
    await page.run(a!, b!, c!);
    await page.run(b!);
    await page.settle();
    expect([page.shown.get(b!), page.shown.get(c!)]).toEqual(["1", "1"]);
    expect(ran().slice(3)).toEqual([a, b, c]);
  });

  test("a use before its definition is told with the name", async () => {
    const [a] = cells("later + 1", "let later = 1");
    page.connect();
    await until(() => state(a!) === "error");
    expect(why(a!)).toBe("`later` is used here and defined only further down");
    await page.run(a!);
    expect(page.shown.get(a!)).toMatch(/^ReferenceError: later is not defined/);
  });

  test("cells move, go and come back", async () => {
    const [a, b, c] = cells("let x = 1", "let x = 2", "x");
    page.connect();
    await page.run(a!, b!, c!);
    expect(page.shown.get(c!)).toBe("2");
    page.remove(b!);
    page.tell();
    await until(() => state(c!) === "stale");
    expect(why(c!)).toBe("`x` now comes from [1]");
    await page.run(c!);
    expect(page.shown.get(c!)).toBe("1");
    page.insert(1, "let x = 2", b);
    page.tell();
    await until(() => state(c!) === "stale");
    await page.run(c!);
    expect([page.shown.get(c!), ran().slice(-2)]).toEqual(["2", [b, c]]);
    page.move(b!, 2);
    await page.run(c!);
    expect(page.shown.get(c!)).toBe("1");
  });

  test("names of a cell that was emptied are gone", async () => {
    const [a, b] = cells("let x = 1", "typeof x");
    page.connect();
    await page.run(a!, b!);
    page.edit(a!, "");
    await page.run(b!);
    expect(page.shown.get(b!)).toBe("'undefined'");
  });
});

describe("inputs", () => {
  const slider =
    'import { input } from "lensor"; const n = input.slider("n", { min: 0, max: 1000, value: 1 });';
  const widget = () => [...page.widgets].find(([, state]) => state._model_name === "IntSliderModel")![0];

  test("drive what reads them, and only that, in auto and in lazy", async () => {
    for (const mode of ["auto", "lazy"] as const) {
      const [s, x, y, z] = cells(slider, "let twice = n.value * 2; twice", "twice + 1", "'other'");
      page.connect(mode);
      await page.run(s!, x!, y!, z!);
      const before = page.log.length;
      page.slide(widget(), 7);
      await page.settle();
      expect(ran().slice(before)).toEqual([x, y]);
      expect([page.shown.get(y!), state(y!)]).toEqual(["15", "fresh"]);
      page.order = [];
      page.tell();
      await until(() => page.widgets.size === 0);
    }
  });

  test("moved a hundred times while a cell runs, make it run for the last value, not for each", async () => {
    const [s, x] = cells(slider, "await new Promise((r) => setTimeout(r, 30)); n.value");
    page.connect();
    await page.run(s!, x!);
    const before = page.log.length;
    for (let i = 0; i < 100; i++) {
      page.slide(widget(), i);
      await sleep(1);
    }
    await page.settle();
    expect(page.shown.get(x!)).toBe("99");
    expect(page.log.length - before).toBeLessThan(30);
  });

  test.each([
    ["a record in records", `const ui = { a: { b: { c: INPUT } } }; const s = ui.a.b.c;`, "ui.a.b.c.value"],
    [
      "an object of a class",
      `class Panel { s = INPUT } const panel = new Panel(); const s = panel.s;`,
      "panel.s.value",
    ],
    ["a static member", `class C { static s = INPUT } const copy = C.s;`, "C.s.value"],
    ["a map", `const m = new Map(); m.set(1, INPUT);`, "m.get(1).value"],
    ["a set", `const all = new Set([INPUT]);`, "[...all][0].value"],
  ])("drive what reads them out of %s", async (_, make, read) => {
    const use = 'import { input } from "lensor";';
    const [s, x] = cells(
      `${use} ${make.replace("INPUT", 'input.slider("n", { min: 0, max: 1000, value: 1 })')}`,
      read,
    );
    page.connect();
    await page.run(s!, x!);
    page.slide(widget(), 7);
    await page.settle();
    expect(page.shown.get(x!)).toBe("7");
  });

  test("that drive other inputs do so once, and no input's cell runs again", async () => {
    const use = 'import { input } from "lensor";';
    const [a, b, c, d, e] = cells(
      use,
      'const n = input.slider("n", { min: 0, max: 1000, value: 1 });',
      'const other = input.slider("other", { min: 0, max: 1000, value: 1 });',
      "other.value = n.value",
      "[n.value, other.value]",
    );
    page.connect();
    await page.run(a!, b!, c!, d!, e!);
    const before = page.log.length;
    const n = [...page.widgets].find(([, state]) => state.description === "n")![0];
    page.slide(n, 7);
    await page.settle();
    expect(new Set(ran().slice(before))).toEqual(new Set([d, e]));
    expect(page.log.length - before).toBeLessThanOrEqual(4);
    expect([page.shown.get(e!), state(d!), state(e!)]).toEqual(["[ 7, 7 ]", "fresh", "fresh"]);
  });

  test("moved while a cell that cannot be stopped runs on the old value, lose nothing", async () => {
    await page.close();
    page = await FrontEnd.open({ graceMs: 500 });
    const wait = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000)";
    const pause = "await new Promise((r) => setTimeout(r, 500))";
    const [k, s, x] = cells("const precious = 1", slider, `if (n.value === 2) ${wait}; ${pause}; n.value`);
    page.connect();
    await page.run(k!, s!, x!);
    page.slide(widget(), 2);
    await until(() => state(x!) === "running");
    await sleep(700);
    page.slide(widget(), 3);
    await page.settle();
    expect([page.shown.get(x!), await page.request({ code: "precious" }, {})]).toEqual(["3", "1"]);
  });

  test("moved without a pause, let what follows come to its end now and then", async () => {
    const [s, slow, plot] = cells(
      slider,
      "await new Promise((r) => setTimeout(r, 60)); const wave = n.value; wave",
      "wave + n.value",
    );
    page.connect();
    await page.run(s!, slow!, plot!);
    const before = page.log.length;
    for (let i = 1; i <= 60; i++) {
      page.slide(widget(), i);
      await sleep(15);
    }
    const meanwhile = page.log.slice(before).filter(({ cell }) => cell === plot).length;
    await page.settle();
    expect(meanwhile).toBeGreaterThan(2);
    expect(page.shown.get(plot!)).toBe("120");
  });

  test("moved while a long cell runs on the old value, stop it without a word", async () => {
    const [s, x] = cells(slider, "await new Promise((r) => setTimeout(r, 1000)); n.value");
    page.connect();
    await page.run(s!, x!);
    page.slide(widget(), 5);
    await sleep(100);
    page.slide(widget(), 6);
    await page.settle();
    expect(page.log.slice(2).map(({ status }) => status)).toEqual(["aborted", "ok"]);
    expect(page.shown.get(x!)).toBe("6");
  });

  test("moved while a loop leaves no time to look, stop the loop", async () => {
    const [s, x] = cells(slider, "while (n.value === 5); n.value");
    page.connect();
    await page.run(s!, x!);
    page.slide(widget(), 5);
    await until(() => state(x!) === "running");
    await sleep(400);
    page.slide(widget(), 6);
    await page.settle();
    expect(page.log.slice(2).map(({ status }) => status)).toEqual(["aborted", "ok"]);
    expect(page.shown.get(x!)).toBe("6");
  });

  test("keep their value when their cell runs again, and after the page is loaded anew", async () => {
    const [s, x] = cells(slider, "n.value");
    page.connect();
    await page.run(s!, x!);
    page.slide(widget(), 42);
    await page.settle();
    await page.run(s!);
    await page.settle();
    expect(page.shown.get(x!)).toBe("42");
    page.disconnect();
    page.connect();
    await until(() => state(x!) === "fresh");
    page.slide(widget(), 43);
    await page.settle();
    expect(page.shown.get(x!)).toBe("43");
  });

  test("that a cell reads itself do not run it under the hand that moves them", async () => {
    const [s, x] = cells(`${slider} n.value`, "n.value + 1");
    page.connect();
    await page.run(s!, x!);
    page.slide(widget(), 10);
    await page.settle();
    expect([state(s!), page.shown.get(x!), state(x!)]).toEqual(["stale", "11", "fresh"]);
    expect(why(s!)).toMatch(/^it reads its own `n`/);
  });

  test("that cells move in a circle come to rest", async () => {
    const [s, x] = cells(slider, "n.value = n.value + 1; n.value");
    page.connect();
    await page.run(s!, x!);
    await page.settle();
    expect(page.log.length).toBeLessThan(12);
  });
});

describe("modes and words", () => {
  test("lazy marks what auto would run; off runs what is asked and marks nothing", async () => {
    const [a, b] = cells("let x = 1", "x");
    page.connect("lazy");
    await page.run(a!, b!);
    page.edit(a!, "let x = 2");
    await page.run(a!);
    await page.settle();
    expect([state(b!), why(b!)]).toEqual(["stale", "`x` changed in [3]"]);
    await page.runStale();
    expect(page.shown.get(b!)).toBe("2");
    page.say({ type: "mode", mode: "off" });
    page.edit(a!, "let x = 3");
    await page.run(b!);
    expect(page.shown.get(b!)).toBe("2");
    await until(() => state(b!) === "new");
  });

  test("@frozen runs only when a person runs it, @auto whatever it costs", async () => {
    const [a, f, o] = cells("let x = 1", "// @frozen\nlet y = x; y", "// @auto\nx");
    page.connect("lazy");
    await page.run(a!, f!, o!);
    page.edit(a!, "let x = 2");
    await page.run(a!);
    await page.settle();
    expect(ran().slice(3)).toEqual([a, o]);
    expect(page.marks.get(f!)).toMatchObject({ state: "stale", frozen: true });
    await page.run(f!);
    expect(page.shown.get(f!)).toBe("2");
  });
});

test("an interrupt stops the cell and all that would follow", async () => {
  const [a, b, c] = cells("let x = 1", "if (x > 1) for (;;); let y = x", "y");
  page.connect();
  await page.run(a!, b!, c!);
  page.edit(a!, "let x = 2");
  await page.run(a!);
  await until(() => state(b!) === "running");
  page.interrupt();
  await page.settle();
  expect([state(b!), why(b!), state(c!)]).toEqual(["stale", "it was interrupted", "stale"]);
  expect(ran().slice(3)).toEqual([a, b]);
});

test("what ended the session is not run again by the replay", async () => {
  const [a, b, c] = cells("let x = 1", "x + 1", "'apart'");
  page.connect();
  await page.run(a!, b!, c!);
  page.edit(a!, "process.abort(); let x = 1");
  await page.run(a!);
  expect(page.heard.find((message) => message.type === "lost")).toMatchObject({ cells: [c] });
});

test("a silent request takes nothing away", async () => {
  const [a, b] = cells("let x = 1", "x + 1");
  page.connect();
  await page.run(a!, b!);
  await page.request({ code: "let w = 9", silent: true }, { cellId: a });
  await page.run(b!);
  expect(page.shown.get(b!)).toBe("2");
});

test("a session that is lost says which cells bring it back", async () => {
  const [a, b] = cells("let x = 1; x", "process.abort()");
  page.connect();
  await page.run(a!);
  await page.run(b!);
  const lost = page.heard.find((message) => message.type === "lost");
  // Not the one that was running: it may be what ended it.
  expect(lost).toMatchObject({ cells: [a], message: expect.stringContaining("died of SIGABRT") });
  await until(() => state(a!) === "new");
  page.edit(b!, "x + 1");
  await page.run(b!);
  expect([page.shown.get(b!), ran().slice(-2)]).toEqual(["2", [a, b]]);
});

test("a front end that declines, or goes away, holds nobody up", async () => {
  const [a, b, c] = cells("let x = 1", "x + 1", "x + 2");
  page.connect();
  await page.run(a!, b!, c!);
  page.declines.add(b!);
  page.edit(a!, "let x = 5");
  await page.run(a!);
  await page.settle();
  expect([page.shown.get(b!), page.shown.get(c!)]).toEqual(["2", "7"]);
  page.disconnect();
  expect((await page.execute(b!)).status).toBe("ok");
});

test("what a hostile page says is passed over, and runs nothing", async () => {
  const [a] = cells("globalThis.ran = (globalThis as any).ran + 1 || 1; 'ran'");
  page.connect();
  const nonsense: Record<string, unknown>[] = [
    {},
    { type: "run" },
    { type: "run", request: "1", cells: [a] },
    { type: "run", request: 1, cells: "all" },
    { type: "run", request: 2, cells: ["nobody", "__proto__", "constructor"] },
    { type: "document", order: [a, a, a], sources: { [a!]: 5 } },
    { type: "document", order: {}, sources: {} },
    { type: "mode", mode: "everything" },
    { type: "declined", cell: 7 },
    { type: "watch", graph: "yes" },
    { type: "document", order: Array.from({ length: 30_000 }, (_, i) => `x${i}`), sources: {} },
    { type: "eval", code: "process.exit()" },
  ];
  for (const data of nonsense) page.say(data);
  await page.settle();
  expect(page.log).toEqual([]);
  page.say({ type: "document", order: ["__proto__", a], sources: { ["__proto__"]: "1", [a!]: "2" } });
  expect((await page.run(a!)).map(({ status }) => status)).toEqual(["ok"]);
});

test("two pages of one notebook both hear how it stands; the one that spoke last executes", async () => {
  const [a, b] = cells("let x = 1", "x");
  page.connect();
  const first = page.comm;
  await page.run(a!, b!);
  page.connect();
  await until(() => state(b!) === "fresh");
  page.edit(a!, "let x = 2");
  const before = page.log.length;
  await page.run(a!);
  await page.settle();
  expect(ran().slice(before)).toEqual([a, b]);
  expect(page.heardBy(first).some(({ type }) => type === "marks")).toBe(true);
});

test("the graph and the variables are told to those who look", async () => {
  const [a, b] = cells("// numbers\nconst x = new Float32Array(6)", "const y = x.length; y");
  page.connect();
  page.say({ type: "watch", graph: true, variables: true });
  await page.run(a!, b!);
  await page.settle();
  const graph = page.heard.findLast((message) => message.type === "graph");
  expect(graph).toMatchObject({
    cells: [
      { id: a, title: "const x = new Float32Array(6)", count: 1, defines: ["x"] },
      { id: b, title: "const y = x.length; y", count: 2, defines: ["y"] },
    ],
    edges: [{ from: a, to: b, names: ["x"] }],
  });
  const variables = page.heard.findLast((message) => message.type === "variables");
  expect(variables).toMatchObject({
    variables: [
      { name: "x", cell: a, type: "Float32Array(6)", shape: [6], bytes: 24 },
      { name: "y", cell: b, type: "number", text: "6" },
    ],
  });
});
