// The widgets of our inputs are what ipywidgets itself would open, key by key: its own Python package is the oracle.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasModule, python } from "../../kernel/jupyter.ts";
import { Harness } from "../../kernel/session/harness.ts";
import { Page, type State } from "../../kernel/session/page.ts";

const calls: Record<string, string> = {
  slider: 'slider("short", { min: 2, max: 100, value: 10 })',
  float: 'slider("short", { min: 0, max: 1, step: 0.05, value: 0.5, live: false })',
  range: 'range("short", { min: 0, max: 29, value: [4, 12] })',
  number: 'number("short", { value: 0.5 })',
  whole: 'number("short", { value: 3 })',
  bounded: 'number("short", { value: 3, min: 1, max: 9 })',
  boundedFloat: 'number("short", { value: 0.5, min: 0, max: 1, step: 0.1 })',
  select: 'select("short", { options: ["a", "b"], value: "b" })',
  multiSelect: 'multiSelect("short", { options: ["a", "b"], value: ["b"] })',
  buttons: 'buttons("short", { options: ["a", "b"], value: "b" })',
  checkbox: 'checkbox("short", { value: true })',
  toggle: 'toggle("short")',
  text: 'text("short", { value: "t" })',
  lines: 'text("short", { value: "t", lines: 3, placeholder: "p" })',
  button: 'button("short")',
  colour: 'colour("short", { value: "#0072b2" })',
  date: 'date("short", { value: "2026-10-04" })',
  file: 'file("short", { accept: ".txt" })',
  slow: 'play("short", { max: 9 })',
  long: 'slider("a label that is long", { min: 0, max: 100 })',
};

describe.skipIf(!hasModule("ipywidgets"))("widgets (need ipywidgets in .venv)", () => {
  const page = new Page();
  let session: Harness;
  let theirs: Record<string, State>;

  beforeAll(() => {
    session = new Harness({ comms: page.comms });
    const ran = spawnSync(python, [join(import.meta.dirname, "widget_states.py")], { encoding: "utf8" });
    theirs = JSON.parse(ran.stdout || ran.stderr) as Record<string, State>;
  }, 60_000);
  afterAll(() => session.close());

  test.each(Object.keys(calls))("%s", async (name) => {
    const before = new Set(page.models.keys());
    const { failure } = await session.run(`import { input } from "lensor"; input.${calls[name]}`);
    expect(failure).toBeUndefined();
    const opened = [...page.models].filter(([id]) => !before.has(id));
    const find = (reference: unknown): State =>
      opened.find(([id]) => reference === `IPY_MODEL_${id}`)?.[1] ?? {};
    const model = opened
      .map(([, state]) => state)
      .find((state) => state._model_name === theirs[name]!._model_name);
    const layout = Object.fromEntries(
      Object.entries(find(model?.layout)).filter(([key]) => !key.startsWith("_view")),
    );
    const ours = {
      ...model,
      style: find(model?.style),
      layout: { ...layout, width: undefined, max_width: undefined },
    };
    expect(ours).toEqual({ ...theirs[name], style: expect.objectContaining(theirs[name]!.style as State) });
  });
});
