// Inputs from the page to the code and back: what a session's cells make, what a page may set, and what nobody may.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Harness, until } from "./harness.ts";
import { Page } from "./page.ts";

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
});
