// The extension's parts as JupyterLab starts them: the executor, which other parts of JupyterLab wait for and so needs none
// of them, and everything that follows notebooks. Figures are apart (figures.ts), since every kernel has them.

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, IToolbarWidgetRegistry } from "@jupyterlab/apputils";
import { INotebookCellExecutor, INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { addCommands } from "./commands.ts";
import { CellExecutor } from "./executor.ts";
import { graphIcon, variablesIcon } from "./icons.ts";
import { Links } from "./links.ts";
import { showMarks } from "./marks.ts";
import { followSettings } from "./settings.ts";
import { Sides } from "./sides.ts";
import { modeSwitch, panelButtons, staleButton } from "./toolbar.ts";

const links = new Links();

/** The name of the schema with the settings, the toolbar's items and the shortcuts. */
const PLUGIN = "@lensor/jupyterlab:plugin";

const executor: JupyterFrontEndPlugin<INotebookCellExecutor> = {
  id: "@lensor/jupyterlab:executor",
  description:
    "Runs cells of lensor's kernel with the stale cells that they need; other kernels' as JupyterLab does.",
  autoStart: true,
  provides: INotebookCellExecutor,
  activate: () => new CellExecutor(links),
};

const notebooks: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: "Marks, controls and panels of reactive notebooks.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, IToolbarWidgetRegistry, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    palette: ICommandPalette | null,
    toolbar: IToolbarWidgetRegistry | null,
    settings: ISettingRegistry | null,
  ) => {
    if (settings)
      followSettings(settings, PLUGIN, links).catch((error) => console.debug("lensor: no settings.", error));
    const follow = (panel: NotebookPanel) => showMarks(panel, links.add(panel).link);
    tracker.forEach(follow);
    tracker.widgetAdded.connect((_, panel) => follow(panel));

    const sides = new Sides(app, tracker, links);
    addCommands(app, tracker, links, sides, palette);
    // A toolbar may be filled before its panel is announced.
    const item = (name: string, make: (panel: NotebookPanel) => ReturnType<typeof modeSwitch>) =>
      toolbar?.addFactory<NotebookPanel>("Notebook", name, make);
    item("lensor-mode", (panel) => modeSwitch(panel, links.add(panel).link));
    item("lensor-panels", (panel) =>
      panelButtons(links.add(panel).link, [
        { icon: graphIcon, label: "Dataflow graph (Alt+Shift+G)", open: () => sides.toggle(sides.graph) },
        {
          icon: variablesIcon,
          label: "Live variables (Alt+Shift+V)",
          open: () => sides.toggle(sides.variables),
        },
      ]),
    );
    item("lensor-stale", (panel) => {
      const { link, batches } = links.add(panel);
      return staleButton(link, () => batches.runStale());
    });
  },
};

export default [executor, notebooks];
