// The panel with the notebook's dataflow: its code cells from top to bottom, arcs from each to those that use what it
// defines. Relies on the kernel's `graph` messages. Titles and names come from the notebook and are set as text only.

import { arc, gutterFor, ROW, relatives } from "./arcs.ts";
import { Frame } from "./frame.ts";
import { graphIcon } from "./icons.ts";
import type { Change } from "./link.ts";
import { describe, markNode } from "./marks.ts";
import type { Edge } from "./messages.ts";
import { SidePanel } from "./panel.ts";
import type { Shown } from "./sides.ts";
import { markText } from "./words.ts";

const SVG = "http://www.w3.org/2000/svg";
/** From this many lines on, those that matter now have to stand out. */
const MANY = 60;

interface Row {
  readonly node: HTMLButtonElement;
  readonly mark: HTMLElement;
  readonly names: HTMLElement;
}

export class GraphPanel extends SidePanel {
  readonly #goTo: (cell: string) => void;
  readonly #body = document.createElement("div");
  readonly #detail = document.createElement("p");
  readonly #svg = document.createElementNS(SVG, "svg");
  readonly #rows = new Map<string, Row>();
  readonly #arcs = new Map<SVGPathElement, Edge>();
  #hovered: string | undefined;
  readonly #marking = new Frame(() => this.#paintMarks());

  constructor(goTo: (cell: string) => void) {
    super({ id: "lensor-graph", icon: graphIcon, caption: "Dataflow graph", heading: "Dataflow" });
    this.#goTo = goTo;
    this.#body.className = "lensor-graph";
    this.#detail.className = "lensor-detail";
    this.#detail.setAttribute("role", "status");
    this.#body.style.setProperty("--lensor-row", `${ROW}px`);
    this.#svg.setAttribute("aria-hidden", "true");
    this.node.append(this.hint, this.#body, this.#detail);
    this.#body.addEventListener("keydown", (event) => this.#step(event));
  }

  override showNotebook(shown: Shown | undefined): void {
    this.#hovered = undefined;
    super.showNotebook(shown);
  }

  changed(change: Change | "active"): void {
    if (change === "graph" || change === "owner") this.refresh();
    else if (change === "marks") this.#marking.soon();
    else if (change === "active") this.#paintRelatives();
  }

  protected draw(): void {
    const { cells, edges } = this.shown?.link.graph ?? { cells: [], edges: [] };
    this.#rows.clear();
    this.#arcs.clear();
    this.hint.textContent =
      cells.length > 0
        ? "Each line runs from a cell down to one that uses what it defines."
        : this.explain("This notebook has no code cells yet.", "which cells depend on which");
    const places = new Map(cells.map(({ id }, i) => [id, i]));
    const drawn = edges.flatMap((edge) => {
      const from = places.get(edge.from);
      const to = places.get(edge.to);
      return from === undefined || to === undefined || from === to
        ? []
        : [{ edge, ends: [from, to] as const }];
    });
    const gutter = gutterFor(drawn.map(({ ends }) => ends));
    this.#body.style.setProperty("--lensor-gutter", `${gutter}px`);
    this.#body.classList.toggle("lensor-many", drawn.length > MANY);
    const widest = cells.reduce((most, { count }) => Math.max(most, String(count ?? "").length), 1);
    this.#body.style.setProperty("--lensor-count", `${widest + 2}ch`);
    this.#svg.setAttribute("width", String(gutter));
    this.#svg.setAttribute("height", String(cells.length * ROW));
    this.#svg.replaceChildren();
    for (const { edge, ends } of drawn) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", arc(...ends, gutter));
      this.#arcs.set(path, edge);
      this.#svg.append(path);
    }
    for (const { id, title, count, defines } of cells) {
      if (this.#rows.has(id)) continue;
      this.#rows.set(id, this.#row(id, title, count, defines));
    }
    this.#body.replaceChildren(this.#svg, ...[...this.#rows.values()].map(({ node }) => node));
    this.#paintMarks();
    this.#paintRelatives();
  }

  #row(id: string, title: string, count: number | undefined, defines: readonly string[]): Row {
    const node = document.createElement("button");
    node.type = "button";
    node.className = "lensor-graph-row";
    const mark = markNode();
    const prompt = textNode("lensor-graph-count", count === undefined ? "[ ]" : `[${count}]`);
    const names = textNode("lensor-graph-names", "");
    node.append(mark, prompt, textNode("lensor-graph-title", title || "(empty)"), names);
    node.title = defines.length > 0 ? `${title}\ndefines ${defines.join(", ")}` : title;
    node.addEventListener("click", () => this.#goTo(id));
    const hover = (hovered: string | undefined) => () => {
      this.#hovered = hovered;
      this.#paintRelatives();
    };
    node.addEventListener("pointerenter", hover(id));
    node.addEventListener("pointerleave", hover(undefined));
    node.addEventListener("focus", hover(id));
    node.addEventListener("blur", hover(undefined));
    return { node, mark, names };
  }

  #paintMarks(): void {
    if (this.isOld) return;
    const marks = this.shown?.link.marks;
    for (const [id, { mark }] of this.#rows)
      describe(mark, marks?.get(id) ?? { state: "new", frozen: false, why: "" });
    this.#describe(this.#chosen());
  }

  #active(): string | undefined {
    return this.shown?.panel.content.activeCell?.model.id;
  }

  #chosen(): string | undefined {
    return this.#hovered ?? this.#active();
  }

  /** Shows what the cell under the pointer, or else the active one, rests on and what rests on it. */
  #paintRelatives(): void {
    if (this.isOld) return;
    const active = this.#active();
    const chosen = this.#chosen();
    const edges = [...this.#arcs.values()];
    const { above, below } =
      chosen !== undefined && this.#rows.has(chosen)
        ? relatives(edges, chosen)
        : { above: new Set<string>(), below: new Set<string>() };
    const near = new Map<string, Set<string>>();
    const front: SVGPathElement[] = [];
    for (const [path, { from, to, names }] of this.#arcs) {
      const isAbove = to === chosen || above.has(to);
      const isBelow = from === chosen || below.has(from);
      path.classList.toggle("lensor-above", isAbove);
      path.classList.toggle("lensor-below", isBelow);
      path.classList.toggle("lensor-near", from === chosen || to === chosen);
      if (isAbove || isBelow) front.push(path);
      const other = from === chosen ? to : to === chosen ? from : undefined;
      if (other === undefined) continue;
      const known = near.get(other) ?? new Set();
      for (const name of names) known.add(name);
      near.set(other, known);
    }
    this.#svg.append(...front);
    for (const [id, { node, names }] of this.#rows) {
      node.classList.toggle("lensor-chosen", id === chosen);
      node.classList.toggle("lensor-active", id === active);
      node.classList.toggle("lensor-above", above.has(id));
      node.classList.toggle("lensor-below", below.has(id));
      names.textContent = [...(near.get(id) ?? [])].join(", ");
    }
    this.#describe(chosen);
  }

  /** Says in words how the chosen cell stands, for those who point at nothing. */
  #describe(chosen: string | undefined): void {
    const cell = this.shown?.link.graph.cells.find(({ id }) => id === chosen);
    const mark = cell && this.shown?.link.marks.get(cell.id);
    const said = cell && mark ? `${cell.count === undefined ? "" : `[${cell.count}] `}${markText(mark)}` : "";
    if (this.#detail.textContent !== said) this.#detail.textContent = said;
  }

  /** The arrow keys go from cell to cell. */
  #step(event: KeyboardEvent): void {
    const down = event.key === "ArrowDown";
    if (!down && event.key !== "ArrowUp") return;
    const rows = [...this.#rows.values()].map(({ node }) => node);
    const at = rows.indexOf(document.activeElement as HTMLButtonElement);
    rows[at + (down ? 1 : -1)]?.focus();
    event.preventDefault();
  }
}

function textNode(name: string, text: string): HTMLElement {
  const node = document.createElement("span");
  node.className = name;
  node.textContent = text;
  return node;
}
