// What the two side panels share: they show the notebook in front, are drawn at most once a frame, and only while seen.
// Relies on sides.ts for which notebook that is. Knows nothing of what a panel shows.

import type { LabIcon } from "@jupyterlab/ui-components";
import { Widget } from "@lumino/widgets";
import { Frame } from "./frame.ts";
import type { Change } from "./link.ts";
import type { Shown } from "./sides.ts";

export abstract class SidePanel extends Widget {
  /** Called when it is shown or hidden. */
  onSeen: () => void = () => {};
  protected shown: Shown | undefined;
  protected readonly hint = document.createElement("p");
  readonly #rebuilding = new Frame(() => this.rebuild());
  #isOld = true;

  constructor(parts: { id: string; icon: LabIcon; caption: string; heading: string }) {
    super();
    this.id = parts.id;
    this.title.icon = parts.icon;
    this.title.caption = parts.caption;
    this.addClass("lensor-side");
    this.hint.className = "lensor-hint";
    const heading = document.createElement("h2");
    heading.textContent = parts.heading;
    this.node.append(heading);
  }

  showNotebook(shown: Shown | undefined): void {
    this.shown = shown;
    this.refresh();
  }

  /** What is drawn is out of date, and will be drawn anew. */
  protected get isOld(): boolean {
    return this.#isOld;
  }

  abstract changed(change: Change | "active"): void;

  /** Draws what is shown from the start. */
  protected abstract draw(): void;

  /** What it shows is out of date. */
  protected refresh(): void {
    this.#isOld = true;
    this.#rebuilding.soon();
  }

  protected rebuild(): void {
    if (!this.isVisible) return;
    this.#isOld = false;
    this.draw();
  }

  /** Where there is nothing to show: why, and what would change that. */
  protected explain(nothing: string, wanted: string): string {
    return this.shown?.link.owner === "ours"
      ? nothing
      : `Open a notebook with the lensor kernel to see ${wanted}.`;
  }

  protected override onAfterShow(): void {
    if (this.#isOld) this.#rebuilding.soon();
    this.onSeen();
  }

  protected override onAfterHide(): void {
    this.onSeen();
  }

  protected override onAfterAttach(): void {
    if (this.isVisible) this.onAfterShow();
  }

  protected override onAfterDetach(): void {
    this.onSeen();
  }
}
