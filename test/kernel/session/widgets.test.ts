// Inputs from the page to the code and back: what a session's cells make, what a page may set, and what nobody may.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Harness, until } from "./harness.ts";
import { Page, type State } from "./page.ts";

const page = new Page();
let session: Harness;
let changed: { cell: string; names: readonly string[] }[] = [];

beforeAll(() => {
  session = new Harness({ comms: page.comms });
  session.process.onChanged = (cell, names) => {
    changed.push({ cell, names });
  };
});
afterAll(() => session.close());
beforeEach(async () => {
  await session.run("0", { deleted: ["a", "b", "c"] });
  changed = [];
});

const use = 'import { input } from "lensor";\n';
const slider = 'input.slider("ratio", { min: 2, max: 100, value: 10 })';
const cell = (id: string, code: string) => session.run(use + code, { cell: id });
const value = async (code: string) => (await session.run(code)).text;

describe("an input", () => {
  test("shows itself as a widget, and in words where there are none", async () => {
    const { outputs } = await cell("a", `const ratio = ${slider};`);
    const id = page.one("IntSlider");
    expect(outputs).toEqual([
      {
        type: "execute_result",
        data: {
          "application/vnd.jupyter.widget-view+json": { version_major: 2, version_minor: 0, model_id: id },
          "text/plain": "ratio: 10",
        },
      },
    ]);
    expect(page.models.get(id)).toMatchObject({ description: "ratio", min: 2, max: 100, step: 1, value: 10 });
  });

  test("opens its layout and style before itself, by the widgets' protocol", async () => {
    const before = page.heard.length;
    await cell("a", `const ratio = ${slider};`);
    const opened = page.heard.slice(before).filter(({ type }) => type === "open");
    const [layout, style, model] = opened;
    expect(opened.map(({ data }) => (data.state as { _model_name: string })._model_name)).toEqual([
      "LayoutModel",
      "SliderStyleModel",
      "IntSliderModel",
    ]);
    expect(
      opened.every((open) => open.target === "jupyter.widget" && open.metadata.version === "2.1.0"),
    ).toBe(true);
    expect(model?.data.state).toMatchObject({
      layout: `IPY_MODEL_${layout?.id}`,
      style: `IPY_MODEL_${style?.id}`,
    });
  });

  test("takes the value a page gives it, echoes it, and tells who has it", async () => {
    await cell("a", `const ratio = ${slider}; const other = 1;`);
    const id = page.one("IntSlider");
    const [echo, ...more] = page.move(id, { value: 42 });
    expect(echo).toMatchObject({
      id,
      data: { method: "echo_update", state: { value: 42 }, buffer_paths: [] },
    });
    expect(more).toEqual([]);
    await until(() => changed.length > 0);
    expect(changed).toEqual([{ cell: "a", names: ["ratio"] }]);
    expect(await value("ratio.value")).toBe("42");
  });

  test("is found in lists, records and maps, and where it is not found, none is named", async () => {
    await cell(
      "a",
      `const list = [new Map([[1, { r: ${slider} }]])]; const n = 1; display(list[0].get(1).r);`,
    );
    await cell("b", `const hidden = ((held) => () => held.value)(${slider});`);
    const [[inList], [inFunction]] = page.all("IntSlider") as [[string, unknown], [string, unknown]];
    page.move(inList, { value: 3 });
    page.move(inFunction, { value: 4 });
    await until(() => changed.length > 1);
    expect(changed).toEqual([
      { cell: "a", names: ["list"] },
      { cell: "b", names: [] },
    ]);
  });

  test("of a loop is one of many, and two views of one are the same widget", async () => {
    const code = `const all = [0, 1, 2].map((i) => input.slider("layer " + i, { min: 0, max: 9, value: i }));
      for (const one of all) await display(one);
      await display(all[0]);`;
    const { outputs } = await cell("a", code);
    const shown = outputs.map(
      (output) => "data" in output && output.data["application/vnd.jupyter.widget-view+json"],
    );
    const ids = shown.map((view) => (view as { model_id: string }).model_id);
    expect(new Set(ids).size).toBe(3);
    expect(ids[3]).toBe(ids[0]);
    expect(page.all("IntSlider").map(([, { value }]) => value)).toEqual([0, 1, 2]);
  });

  test("is set by code: pages see it, and who has it is told", async () => {
    await cell("a", `const ratio = ${slider};`);
    await cell("b", "ratio.value = 77;");
    expect(page.models.get(page.one("IntSlider"))).toMatchObject({ value: 77 });
    expect(changed).toEqual([{ cell: "a", names: ["ratio"] }]);
    // The same value again is no change.
    await cell("b", "ratio.value = 77;");
    expect(changed.length).toBe(1);
  });

  test("that a loop sets is shown at a bearable pace, the last value always", async () => {
    await cell("a", `const ratio = ${slider};`);
    const before = page.heard.length;
    await cell("b", "for (let i = 0; i < 50_000; i++) ratio.value = 3 + (i % 2); ratio.value = 9;");
    expect(page.heard.length - before).toBeLessThan(1000);
    expect(page.models.get(page.one("IntSlider"))).toMatchObject({ value: 9 });
  });
});

describe("every kind", () => {
  const kinds: [string, string, string, unknown, string][] = [
    ["range", 'range("r", { min: 0, max: 9 })', "IntRangeSlider", { value: [2, 5] }, "[ 2, 5 ]"],
    ["number", 'number("n", { value: 0.5 })', "FloatText", { value: 2.25 }, "2.25"],
    ["select", 'select("s", { options: { a: "first", b: "second" } })', "Dropdown", { index: 1 }, "'second'"],
    [
      "multiSelect",
      'multiSelect("m", { options: [1, 2, 3] })',
      "SelectMultiple",
      { index: [2, 0] },
      "[ 1, 3 ]",
    ],
    ["checkbox", 'checkbox("c")', "Checkbox", { value: true }, "true"],
    ["toggle", 'toggle("t")', "ToggleButton", { value: true }, "true"],
    ["text", 'text("t")', "Text", { value: "typed" }, "'typed'"],
    ["lines", 'text("t", { lines: 3 })', "Textarea", { value: "typed" }, "'typed'"],
    ["colour", 'colour("c")', "ColorPicker", { value: "#ff0000" }, "'#ff0000'"],
    ["color", 'color("c")', "ColorPicker", { value: "teal" }, "'teal'"],
    [
      "date",
      'date("d")',
      "DatePicker",
      { value: { year: 2026, month: 9, date: 4 } },
      "2026-10-04T00:00:00.000Z",
    ],
    ["play", 'play("p", { max: 9 })', "Play", { value: 4 }, "4"],
  ];

  test.each(kinds)("%s", async (_, call, model, state, text) => {
    await cell("a", `const it = input.${call};`);
    page.move(page.one(model), state as State);
    await until(() => changed.length > 0);
    expect(changed).toEqual([{ cell: "a", names: ["it"] }]);
    expect(await value("it.value")).toBe(text);
  });

  test("button: each click counts", async () => {
    await cell("a", 'const again = input.button("again");');
    for (let i = 0; i < 3; i++) page.click(page.one("Button"));
    await until(() => changed.length > 0);
    expect(await value("again.value")).toBe("3");
  });

  test("play: slider and counter are one value, also after a slider's own move", async () => {
    await cell("a", 'const it = input.play("p", { max: 9 });');
    const [play, slider, box] = [page.one("Play"), page.one("IntSlider"), page.one("HBox")];
    expect(page.models.get(box)).toMatchObject({ children: [`IPY_MODEL_${slider}`, `IPY_MODEL_${play}`] });
    const heard = page.move(play, { value: 1, playing: true });
    // What plays is the page's own affair: another page must not start to count too.
    expect(heard.map(({ id, data }) => [id, data.method, data.state])).toEqual([
      [play, "echo_update", { value: 1 }],
      [slider, "update", { value: 1 }],
    ]);
    page.move(slider, { value: 7 });
    expect(page.models.get(play)).toMatchObject({ value: 7 });
  });

  test("file: names, types and bytes", async () => {
    await cell("a", 'const it = input.file("f", { multiple: true });');
    const id = page.one("FileUpload");
    const record = (name: string, size: number) => ({ name, type: "text/plain", size, last_modified: 5 });
    page.move(
      id,
      { value: [record("one.txt", 3), record("two.txt", 2)] },
      [
        ["value", 1, "content"],
        ["value", 0, "content"],
      ],
      [Buffer.from([4, 5]), Buffer.from([1, 2, 3])],
    );
    await until(() => changed.length > 0);
    expect(await value("it.value.map(({ name, bytes }) => [name, ...bytes])")).toBe(
      "[ [ 'one.txt', 1, 2, 3 ], [ 'two.txt', 4, 5 ] ]",
    );
    expect(await value("String(it)")).toBe("'f: one.txt (3 B), two.txt (2 B)'");
  });
});

describe("a cell that runs again", () => {
  test("keeps its inputs and their values, whatever else was edited", async () => {
    await cell("a", `const ratio = ${slider};`);
    const id = page.one("IntSlider");
    page.move(id, { value: 42 });
    const again = await cell("a", `// another line\nconst ratio = ${slider}; console.log(ratio.value);`);
    expect(again.stdout).toBe("42\n");
    expect(page.one("IntSlider")).toBe(id);
    page.move(id, { value: 43 });
    await until(() => changed.length > 1);
    expect(changed.at(-1)).toEqual({ cell: "a", names: ["ratio"] });
    expect(await value("ratio.value")).toBe("43");
  });

  test("keeps equal ones apart", async () => {
    const code = `const [x, y] = [${slider}, ${slider}];`;
    await cell("a", code);
    page.move(page.all("IntSlider")[1]![0], { value: 42 });
    await cell("a", code);
    expect(await value("[x.value, y.value]")).toBe("[ 10, 42 ]");
  });

  test("starts anew where the definition was changed, and closes what it does not make again", async () => {
    await cell("a", `const ratio = ${slider}; const gone = input.checkbox("gone");`);
    const id = page.one("IntSlider");
    page.move(id, { value: 42 });
    await cell("a", 'const ratio = input.slider("ratio", { min: 2, max: 50, value: 10 });');
    expect(page.one("IntSlider")).not.toBe(id);
    expect(await value("ratio.value")).toBe("10");
    expect(page.all("Checkbox")).toEqual([]);
    // Nothing of theirs is left behind: no layouts, no styles.
    expect(page.models.size).toBe(3);
  });

  test("keeps them when it fails, for the next attempt", async () => {
    await cell("a", `const ratio = ${slider};`);
    page.move(page.one("IntSlider"), { value: 42 });
    expect((await cell("a", `throw new Error("a slip"); const ratio = ${slider};`)).failure).toBeDefined();
    await cell("a", `const ratio = ${slider};`);
    expect(await value("ratio.value")).toBe("42");
  });

  test("shares nothing with a copy of itself", async () => {
    await cell("a", `const ratio = ${slider};`);
    page.move(page.one("IntSlider"), { value: 42 });
    await cell("b", `const copy = ${slider};`);
    expect(await value("copy.value")).toBe("10");
  });

  test("and one that is deleted closes its inputs", async () => {
    await cell("a", `const ratio = ${slider};`);
    await session.run("0", { deleted: ["a"] });
    expect(page.models.size).toBe(0);
  });

  test("but cells without an id keep theirs", async () => {
    const fresh = new Harness({ comms: new Page().comms });
    await fresh.run(`${use}const ratio = ${slider};`);
    await fresh.run(`const other = ${slider}; other.value = 20;`);
    expect((await fresh.run("[ratio.value, other.value]")).text).toBe("[ 10, 20 ]");
    await fresh.close();
  });
});

describe("while a cell computes", () => {
  test("pages are answered, and of many values the child gets one", async () => {
    await cell("a", `const ratio = ${slider};`);
    const id = page.one("IntSlider");
    const busy = cell(
      "b",
      "const end = performance.now() + 600; while (performance.now() < end); ratio.value",
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (let i = 20; i < 90; i++) {
      const [echo] = page.move(id, { value: i });
      expect(echo?.data).toMatchObject({ method: "echo_update", state: { value: i } });
    }
    await busy;
    await until(() => changed.length > 1);
    expect(changed.length).toBe(2);
    expect(await value("ratio.value")).toBe("89");
  });

  test("code and page that set the same input agree on the later of the two", async () => {
    await cell("a", `const ratio = ${slider};`);
    const id = page.one("IntSlider");
    const busy = cell(
      "b",
      "const end = performance.now() + 400; while (performance.now() < end); ratio.value = 5;",
    );
    await new Promise((resolve) => setTimeout(resolve, 150));
    // It waits until the cell is done, and the cell's own value comes back before.
    page.move(id, { value: 50 });
    await busy;
    await until(() => changed.length > 1);
    expect(await value("ratio.value")).toBe("50");
    expect(page.heard.map(({ data }) => (data.state as State | undefined)?.value).slice(-2)).toEqual([5, 50]);
    expect(page.models.get(id)).toMatchObject({ value: 50 });
  });

  test("a page that is opened gets every widget as it stands", async () => {
    await cell("a", `const ratio = ${slider};`);
    page.move(page.one("IntSlider"), { value: 42 });
    const busy = cell("b", "const end = performance.now() + 300; while (performance.now() < end);");
    const control = "control-1";
    page.comms.receive({
      type: "open",
      id: control,
      target: "jupyter.widget.control",
      data: {},
      metadata: { version: "1.0.0" },
      buffers: [],
    });
    const [answer] = page.say(control, { method: "request_states" });
    expect(answer).toMatchObject({ id: control, data: { method: "update_states", buffer_paths: [] } });
    const states = answer?.data.states as Record<string, State>;
    expect(Object.keys(states).sort()).toEqual([...page.models.keys()].sort());
    expect(states[page.one("IntSlider")]).toMatchObject({
      model_name: "IntSliderModel",
      model_module: "@jupyter-widgets/controls",
      model_module_version: "2.0.0",
      state: { value: 42, description: "ratio" },
    });
    expect(page.say(page.one("IntSlider"), { method: "request_state" })).toMatchObject([
      { data: { method: "update", state: { value: 42, min: 2 }, buffer_paths: [] } },
    ]);
    page.comms.receive({ type: "close", id: control, data: {}, metadata: {}, buffers: [] });
    await busy;
  });
});

test("a page that closes a widget gets it again when its cell runs again", async () => {
  await cell("a", `const ratio = ${slider};`);
  const id = page.one("IntSlider");
  page.comms.receive({ type: "close", id, data: {}, metadata: {}, buffers: [] });
  page.models.delete(id);
  expect(page.models.size).toBe(0);
  await cell("a", `const ratio = ${slider};`);
  expect(page.one("IntSlider")).not.toBe(id);
});

test("when the session's process ends, its widgets close", async () => {
  const own = new Page();
  const dying = new Harness({ comms: own.comms });
  await dying.run(`${use}const ratio = ${slider};`);
  expect(own.models.size).toBe(3);
  await dying.run("process.exit(1)");
  expect(own.models.size).toBe(0);
  await dying.run(`${use}const ratio = ${slider};`);
  expect(own.models.size).toBe(3);
  await dying.close();
});

test("more inputs than a page can show are refused where they are made", async () => {
  const own = new Harness({ comms: new Page().comms });
  const { failure } = await own.run(`${use}for (let i = 0; i < 1001; i++) input.checkbox("box " + i);`);
  expect(failure?.evalue).toMatch(/There are 1000 inputs already/);
  await own.close();
});

describe("hostile messages", () => {
  const huge = "x".repeat(10_000_000);

  // JSON.parse, as on the wire: 1e999 is Infinity there, and __proto__ an ordinary key.
  test.each([
    ["text", '{ "value": "x" }'],
    ["null", '{ "value": null }'],
    ["an infinite number", '{ "value": 1e999 }'],
    ["a number out of range", '{ "value": 101 }'],
    ["a fraction", '{ "value": 10.5 }'],
    ["an array", '{ "value": [10] }'],
    ["an object", '{ "value": { "valueOf": 10 } }'],
    ["a key that it does not have", '{ "values": 10 }'],
    ["its range", '{ "max": 1000 }'],
    ["another model", '{ "_model_name": "HTMLModel", "_view_name": "HTMLView" }'],
    ["its label as markup", '{ "description_allow_html": true, "description": "<script>" }'],
    ["its layout", '{ "layout": "IPY_MODEL_x" }'],
    ["__proto__", '{ "__proto__": { "value": 99 } }'],
    ["constructor", '{ "constructor": { "prototype": { "polluted": true } } }'],
    ["10 MB", JSON.stringify({ value: huge })],
    ["no record", "[1, 2]"],
    ["nothing", "null"],
  ])("a slider that is given %s stays as it is, and says so", async (_, json) => {
    await cell("a", `const ratio = ${slider};`);
    const id = page.one("IntSlider");
    const before = structuredClone(page.models.get(id));
    const heard = page.move(id, JSON.parse(json) as State);
    expect(heard.at(-1)).toMatchObject({ id, data: { method: "update", state: before } });
    expect(page.models.get(id)).toEqual(before);
    expect(await value("ratio.value")).toBe("10");
    expect(changed).toEqual([]);
    expect(({} as { polluted?: boolean; value?: number }).polluted).toBeUndefined();
  });

  test("NaN, which JSON has not, is no number either", async () => {
    await cell("a", `const ratio = ${slider};`);
    page.move(page.one("IntSlider"), { value: Number.NaN });
    expect(await value("ratio.value")).toBe("10");
  });

  test.each([
    [
      "range",
      'range("r", { min: 0, max: 9 })',
      "IntRangeSlider",
      '[{"value":[5,2]},{"value":[1]},{"value":[0,10]},{"value":[null,3]}]',
      "[ 0, 9 ]",
    ],
    [
      "select",
      'select("s", { options: ["a", "b"] })',
      "Dropdown",
      '[{"index":2},{"index":-1},{"index":"1"},{"index":null},{"value":"b"},{"_options_labels":["c"]}]',
      "'a'",
    ],
    [
      "multiSelect",
      'multiSelect("m", { options: ["a", "b"] })',
      "SelectMultiple",
      '[{"index":[0,0]},{"index":[2]},{"index":1},{"index":["length"]}]',
      "[]",
    ],
    ["checkbox", 'checkbox("c")', "Checkbox", '[{"value":"true"},{"value":1}]', "false"],
    ["text", 'text("t")', "Text", `[{"value":5},{"value":"${"x".repeat(1_000_001)}"}]`, "''"],
    [
      "colour",
      'colour("c")',
      "ColorPicker",
      '[{"value":"url(javascript:1)"},{"value":"red;"},{"value":[]}]',
      "'#0072b2'",
    ],
    [
      "date",
      'date("d", { max: "2026-10-04" })',
      "DatePicker",
      '[{"value":{"year":2026,"month":1,"date":31}},{"value":{"year":2026,"month":9,"date":5}},{"value":"2026-10-01"},{"value":{}},{"value":{"year":1e9,"month":0,"date":1}}]',
      "undefined",
    ],
    ["play", 'play("p", { max: 9 })', "Play", '[{"value":10},{"interval":0},{"repeat":"yes"}]', "0"],
  ])("a %s takes no value of another kind or out of range", async (_, call, model, states, text) => {
    await cell("a", `const it = input.${call};`);
    const id = page.one(model);
    const before = structuredClone(page.models.get(id));
    for (const state of JSON.parse(states) as State[]) page.move(id, state);
    expect(page.models.get(id)).toEqual(before);
    expect((await session.run("console.log(it.value)")).stdout).toBe(`${text.replaceAll("'", "")}\n`);
    expect(changed).toEqual([]);
  });

  test("good keys count although others beside them are refused", async () => {
    await cell("a", `const ratio = ${slider};`);
    const heard = page.move(page.one("IntSlider"), { value: 42, max: 1000 });
    expect(heard.map(({ data }) => data.method)).toEqual(["echo_update", "update"]);
    expect(page.models.get(page.one("IntSlider"))).toMatchObject({ value: 42, max: 100 });
  });

  test.each<[string, unknown, unknown, number[]]>([
    ["no paths", undefined, 3, [3]],
    ["a path out of bounds", [["value", 5, "content"]], 3, [3]],
    ["the length of the list for an index", [["value", "length", "content"]], 3, [3]],
    ["__proto__ for an index", [["value", "__proto__", "content"]], 3, [3]],
    ["a path to elsewhere", [["__proto__", 0, "content"]], 3, [3]],
    ["fewer bytes than it says", [["value", 0, "content"]], 3, [2]],
    ["no buffer", [["value", 0, "content"]], 3, []],
    ["more bytes than are allowed", [["value", 0, "content"]], 101, [101]],
    ["a size that is none", [["value", 0, "content"]], "3", [3]],
  ])("a file with %s is none", async (_, paths, size, buffers) => {
    await cell("a", 'const it = input.file("f", { maxBytes: 100 });');
    const id = page.one("FileUpload");
    const file = { name: "f", type: "", size, last_modified: 0 };
    page.say(
      id,
      { method: "update", state: { value: [file] }, buffer_paths: paths },
      buffers.map((length) => Buffer.alloc(length)),
    );
    expect(await value("it.value")).toBe("[]");
    expect(changed).toEqual([]);
  });

  test("unknown methods, targets and ids are answered or ignored, and nothing runs", async () => {
    await cell("a", `const ratio = ${slider}; const again = input.button("again");`);
    const id = page.one("IntSlider");
    expect(page.say(id, { method: "evaluate", code: "process.exit()" })).toMatchObject([
      { data: { method: "update", state: { value: 10 } } },
    ]);
    expect(page.say(id, {})).toMatchObject([{ data: { method: "update" } }]);
    page.say(id, { method: "custom", content: { event: "click" } });
    page.say(page.one("Button"), { method: "custom", content: null });
    page.say(page.one("Button"), { method: "custom", content: { event: "hover" } });
    page.move(page.one("Button"), { clicks: 99 });
    page.move(page.one("SliderStyle"), { handle_color: "red" });
    expect(page.say("nobody", { method: "update", state: { value: 3 } })).toMatchObject([
      { type: "close", id: "nobody" },
    ]);
    const opening = { id: "theirs", data: { state: {} }, metadata: {}, buffers: [] };
    for (const target of ["jupyter.widget", "nothing.known", "__proto__"])
      page.comms.receive({ type: "open", target, ...opening });
    expect(page.comms.info().theirs).toBeUndefined();
    expect(await value("[ratio.value, again.value]")).toBe("[ 10, 0 ]");
    expect(changed).toEqual([]);
    expect(page.models.get(page.one("SliderStyle"))).toMatchObject({ handle_color: null });
  });

  test("code that speaks to the session past the library opens nothing that is no input", async () => {
    const seam = 'globalThis[Symbol.for("lensor.host")]';
    const { failure } = await session.run(`${seam}.input({}, {})`);
    expect(failure?.evalue).toMatch(/needs a definition/);
    const forged = [
      { event: "widget-open", id: "x", definition: {} },
      { event: "widget-open", id: 5, definition: null },
      { event: "widget-close" },
      { event: "widget-close", ids: [{}, null] },
      { event: "widget-value", id: "x" },
      { event: "widget-took", id: null },
    ];
    const lines = forged.map((event) => `\\n${JSON.stringify(event)}\\n`).join("");
    await session.run(`require("node:fs").writeSync(3, '${lines}')`);
    await cell("a", `const ratio = ${slider};`);
    expect(page.models.size).toBe(3);
  });
});
