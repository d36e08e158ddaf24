// The panel with the notebook's live variables: what each is, how big it is, where it lives and which cell defines it.
// Relies on the kernel's `variables` messages. Everything shown comes from the notebook and is set as text only.

import { variablesIcon } from "./icons.ts";
import type { Change } from "./link.ts";
import type { Variable } from "./messages.ts";
import { SidePanel } from "./panel.ts";
import { size } from "./words.ts";

const columns = ["Name", "Type", "Shape", "Size", "Device", "Cell", "Value"];

export class VariablesPanel extends SidePanel {
  readonly #goTo: (cell: string) => void;
  readonly #filter = document.createElement("input");
  readonly #rows = document.createElement("tbody");
  readonly #table = document.createElement("table");

  constructor(goTo: (cell: string) => void) {
    super({
      id: "lensor-variables",
      icon: variablesIcon,
      caption: "Live variables",
      heading: "Variables",
    });
    this.#goTo = goTo;
    this.#filter.type = "search";
    this.#filter.className = "lensor-filter";
    this.#filter.placeholder = "Filter by name or type";
    this.#filter.setAttribute("aria-label", "Filter by name or type");
    this.#filter.addEventListener("input", () => this.rebuild());
    this.#table.className = "lensor-variables";
    const head = this.#table.createTHead().insertRow();
    for (const column of columns) {
      const cell = head.appendChild(document.createElement("th"));
      cell.scope = "col";
      cell.textContent = column;
    }
    this.#table.append(this.#rows);
    this.node.append(this.#filter, this.hint, this.#table);
  }

  changed(change: Change | "active"): void {
    if (change === "variables" || change === "owner") this.refresh();
  }

  protected draw(): void {
    const all = this.shown?.link.variables ?? [];
    const wanted = this.#filter.value.trim().toLowerCase();
    const found = all.filter(({ name, type }) => `${name} ${type}`.toLowerCase().includes(wanted));
    this.#filter.hidden = all.length === 0;
    this.#table.hidden = found.length === 0;
    this.hint.hidden = found.length > 0;
    this.hint.textContent =
      all.length > 0
        ? "No variable is called so."
        : this.explain("Run a cell that defines something to see it here.", "what it holds");
    const prompts = new Map<string, string>();
    for (const { model } of this.shown?.panel.content.widgets ?? []) {
      const count = "executionCount" in model ? model.executionCount : null;
      prompts.set(model.id, typeof count === "number" ? `[${count}]` : "[ ]");
    }
    this.#rows.replaceChildren(...found.map((variable) => this.#row(variable, prompts.get(variable.cell))));
  }

  #row(variable: Variable, prompt: string | undefined): HTMLElement {
    const { name, type, shape, bytes, device, text, cell } = variable;
    const row = document.createElement("tr");
    const go = document.createElement("button");
    go.type = "button";
    go.textContent = prompt ?? "";
    go.title = "Go to the cell that defines it";
    go.setAttribute("aria-label", `Go to the cell that defines ${name}`);
    const parts: Record<string, string | HTMLElement> = {
      name,
      type,
      shape: shape ? shape.join("×") || "scalar" : "",
      size: bytes === undefined ? "" : size(bytes),
      device: device ?? "",
      cell: go,
      value: text,
    };
    for (const [part, content] of Object.entries(parts)) {
      const node = row.insertCell();
      node.className = `lensor-${part}`;
      node.append(content);
      if (typeof content === "string" && content) node.title = content;
    }
    row.addEventListener("click", () => this.#goTo(cell));
    return row;
  }
}
