// Every action as a command: in the palette, in the menus and with shortcuts (schema/plugin.json has the latter two).
// Relies on the notebook in front. A command is disabled where that notebook's kernel is not ours.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { ICommandPalette } from "@jupyterlab/apputils";
import type { INotebookTracker } from "@jupyterlab/notebook";
import { graphIcon, runStaleIcon, variablesIcon } from "./icons.ts";
import type { Links } from "./links.ts";
import type { Mode } from "./messages.ts";
import { isMode, modeOf, modes, setMode } from "./mode.ts";
import type { Sides } from "./sides.ts";

const CATEGORY = "Reactive Notebook";

export const commandIds = {
  runStale: "lensor:run-stale",
  replay: "lensor:replay",
  nextMode: "lensor:next-mode",
  setMode: "lensor:set-mode",
  graph: "lensor:show-graph",
  variables: "lensor:show-variables",
} as const;

export function addCommands(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  links: Links,
  sides: Sides,
  palette: ICommandPalette | null,
): void {
  const { commands } = app;
  const current = () => {
    const linked = links.of(tracker.currentWidget?.model);
    return linked?.link.owner === "ours" ? linked : undefined;
  };
  const isOurs = () => current() !== undefined;

  commands.addCommand(commandIds.runStale, {
    label: "Run Stale Cells",
    caption: "Run the cells that would show something else now, in order",
    icon: runStaleIcon,
    isEnabled: isOurs,
    execute: () => current()?.batches.runStale(),
  });
  commands.addCommand(commandIds.replay, {
    label: "Replay Lost Cells",
    caption: "Run the cells again whose variables were lost with their process",
    isEnabled: () => current()?.replay !== undefined,
    execute: () => current()?.replay?.(),
  });
  commands.addCommand(commandIds.setMode, {
    label: ({ mode }) => (isMode(mode) ? `Reactive Mode: ${mode}` : "Set the Reactive Mode"),
    caption: ({ mode }) => (isMode(mode) ? modes[mode] : "auto, lazy or off"),
    isEnabled: isOurs,
    isToggleable: true,
    isToggled: ({ mode }) => {
      const linked = current();
      return linked !== undefined && modeOf(linked.link.model) === mode;
    },
    execute: ({ mode }) => {
      const linked = current();
      if (linked && isMode(mode)) setMode(linked.link.model, mode);
    },
  });
  commands.addCommand(commandIds.nextMode, {
    label: "Next Reactive Mode",
    caption: "auto, then lazy, then off",
    isEnabled: isOurs,
    execute: () => {
      const linked = current();
      if (!linked) return;
      const all = Object.keys(modes) as Mode[];
      const next = all[(all.indexOf(modeOf(linked.link.model)) + 1) % all.length]!;
      setMode(linked.link.model, next);
    },
  });
  commands.addCommand(commandIds.graph, {
    label: "Show the Dataflow Graph",
    caption: "Which cells use what other cells define",
    icon: graphIcon,
    execute: () => sides.toggle(sides.graph),
  });
  commands.addCommand(commandIds.variables, {
    label: "Show Live Variables",
    caption: "Names, types, shapes and sizes of what the notebook holds",
    icon: variablesIcon,
    execute: () => sides.toggle(sides.variables),
  });

  if (!palette) return;
  const { runStale, replay, nextMode, graph, variables } = commandIds;
  for (const command of [runStale, replay, nextMode, graph, variables])
    palette.addItem({ command, category: CATEGORY });
  for (const mode of Object.keys(modes))
    palette.addItem({ command: commandIds.setMode, category: CATEGORY, args: { mode } });
}
