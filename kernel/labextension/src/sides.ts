// The two side panels: they show the notebook in front, and are opened only when somebody asks for them.
// Relies on the tracker for which notebook that is, and tells its link which panels are seen.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import { GraphPanel } from "./graph.ts";
import type { Change, Link } from "./link.ts";
import type { Links } from "./links.ts";
import type { SidePanel } from "./panel.ts";
import { VariablesPanel } from "./variables.ts";

/** What a panel needs of the notebook that it shows. */
export interface Shown {
  readonly link: Link;
  readonly panel: NotebookPanel;
}

export class Sides {
  readonly graph: GraphPanel;
  readonly variables: VariablesPanel;
  readonly #app: JupyterFrontEnd;
  readonly #tracker: INotebookTracker;
  readonly #links: Links;
  #shown: Shown | undefined;

  constructor(app: JupyterFrontEnd, tracker: INotebookTracker, links: Links) {
    this.#app = app;
    this.#tracker = tracker;
    this.#links = links;
    const goTo = (cell: string) => this.#goTo(cell);
    this.graph = new GraphPanel(goTo);
    this.variables = new VariablesPanel(goTo);
    for (const side of this.#all) side.onSeen = () => this.#watch();
    tracker.currentChanged.connect(() => this.#follow());
    tracker.activeCellChanged.connect(() => {
      for (const side of this.#all) side.changed("active");
    });
  }

  /** Opens a panel, or closes it where it is in front. */
  toggle(side: SidePanel): void {
    if (side.isVisible) {
      side.parent = null;
      return;
    }
    if (!side.isAttached) this.#app.shell.add(side, "right", { rank: 900 });
    this.#follow();
    this.#app.shell.activateById(side.id);
  }

  get #all(): readonly SidePanel[] {
    return [this.graph, this.variables];
  }

  #follow(): void {
    const panel = this.#tracker.currentWidget;
    const link = this.#links.of(panel?.model)?.link;
    if (link === this.#shown?.link && panel === this.#shown?.panel) return;
    this.#shown?.link.changed.disconnect(this.#changed, this);
    this.#shown?.link.watch({ graph: false, variables: false });
    this.#shown = link && panel ? { link, panel } : undefined;
    link?.changed.connect(this.#changed, this);
    for (const side of this.#all) side.showNotebook(this.#shown);
    this.#watch();
  }

  #changed(_: Link, change: Change): void {
    for (const side of this.#all) side.changed(change);
  }

  /** One panel's opening hides the other: what counts is how things are when both have been told. */
  #watch(): void {
    queueMicrotask(() => {
      this.#shown?.link.watch({ graph: this.graph.isVisible, variables: this.variables.isVisible });
    });
  }

  #goTo(id: string): void {
    const panel = this.#shown?.panel;
    const notebook = panel?.content;
    const index = notebook?.widgets.findIndex(({ model }) => model.id === id) ?? -1;
    if (!panel || !notebook || index < 0) return;
    notebook.activeCellIndex = index;
    notebook.deselectAll();
    void notebook.scrollToItem(index, "smart").catch(() => undefined);
    this.#app.shell.activateById(panel.id);
  }
}
