// The notebook toolbar's controls: the mode, the two panels, and what is stale or planned. Shown for our kernels only.
// Relies on the link for what to say. Widths are fixed, since JupyterLab measures a toolbar's items once.

import type { NotebookPanel } from "@jupyterlab/notebook";
import { caretDownEmptyIcon, type LabIcon } from "@jupyterlab/ui-components";
import { Widget } from "@lumino/widgets";
import { runStaleIcon } from "./icons.ts";
import type { Change, Link } from "./link.ts";
import { isMode, modeOf, modes, setMode } from "./mode.ts";
import { planText, staleText } from "./words.ts";

/** Follows a link until the widget is closed. */
function follow(widget: Widget, link: Link, show: () => void): Widget {
  const onChange = (_: Link, change: Change) => {
    if (change === "owner") widget.setHidden(link.owner !== "ours");
    if (change === "owner" || change === "mode" || change === "marks" || change === "plan") show();
  };
  link.changed.connect(onChange);
  widget.disposed.connect(() => link.changed.disconnect(onChange));
  widget.setHidden(link.owner !== "ours");
  show();
  return widget;
}

export function modeSwitch(panel: NotebookPanel, link: Link): Widget {
  const node = document.createElement("div");
  node.className = "jp-HTMLSelect jp-DefaultStyle lensor-mode";
  const select = document.createElement("select");
  select.setAttribute("aria-label", "What runs when a cell has run");
  for (const [mode, meaning] of Object.entries(modes)) {
    const option = new Option(`Reactive: ${mode}`, mode);
    option.title = meaning;
    select.add(option);
  }
  select.addEventListener("change", () => {
    if (isMode(select.value)) setMode(panel.context.model, select.value);
    panel.activate();
  });
  node.append(select, caretDownEmptyIcon.element({ tag: "span" }));
  return follow(new Widget({ node }), link, () => {
    const mode = modeOf(link.model);
    select.value = mode;
    select.title = modes[mode];
  });
}

/** Buttons that open panels. */
export function panelButtons(
  link: Link,
  panels: readonly { icon: LabIcon; label: string; open: () => void }[],
): Widget {
  const node = document.createElement("div");
  node.className = "lensor-buttons";
  for (const { icon, label, open } of panels) {
    const button = node.appendChild(toolButton(label));
    icon.element({ container: button, stylesheet: "toolbarButton" });
    button.addEventListener("click", open);
  }
  return follow(new Widget({ node }), link, () => undefined);
}

/** How many cells are stale and what running them takes; while something runs, what is left of the plan. */
export function staleButton(link: Link, run: () => void): Widget {
  const node = document.createElement("div");
  node.className = "lensor-stale";
  const button = node.appendChild(toolButton("Run stale cells"));
  const icon = button.appendChild(document.createElement("span"));
  runStaleIcon.element({ container: icon, stylesheet: "toolbarButton" });
  const text = button.appendChild(document.createElement("span"));
  text.className = "lensor-stale-text";
  button.addEventListener("click", run);
  return follow(new Widget({ node }), link, () => {
    const stale = [...link.marks.values()].filter(({ state, frozen }) => state === "stale" && !frozen);
    const plan = link.plan && link.plan.cells.length > 0 ? link.plan : null;
    const said = plan ? planText(plan) : stale.length > 0 ? staleText(stale) : "";
    if (text.textContent !== said) text.textContent = said;
    button.disabled = !link.isOpen || stale.length === 0;
    button.toggleAttribute("data-running", plan !== null);
    button.title = plan
      ? `${said} (this cell and those that follow it)`
      : stale.length > 0
        ? `Run what is stale: ${said} (Alt+Shift+Enter)`
        : "Nothing is stale";
  });
}

function toolButton(label: string): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jp-ToolbarButtonComponent lensor-button";
  button.title = label;
  button.setAttribute("aria-label", label);
  return button;
}
