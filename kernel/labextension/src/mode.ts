// The notebook's mode, kept in its metadata as `lensor.mode`, so that it goes where the notebook goes.
// A notebook may come from anywhere: what is no mode counts as the default.

import type { INotebookModel } from "@jupyterlab/notebook";
import type { Mode } from "./messages.ts";

const KEY = "lensor";

export const modes: Readonly<Record<Mode, string>> = {
  auto: "Cells that depend on what you run follow at once when that is quick",
  lazy: "Cells that depend on what you run are marked stale",
  off: "Only what you run is run, and nothing is marked",
};

export const isMode = (value: unknown): value is Mode =>
  typeof value === "string" && Object.hasOwn(modes, value);

export function modeOf(model: INotebookModel): Mode {
  const mode = (model.getMetadata(KEY) as { mode?: unknown } | undefined)?.mode;
  return isMode(mode) ? mode : "auto";
}

export function setMode(model: INotebookModel, mode: Mode): void {
  const before: unknown = model.getMetadata(KEY);
  const rest = typeof before === "object" && before !== null && !Array.isArray(before) ? before : {};
  model.setMetadata(KEY, { ...rest, mode });
}
