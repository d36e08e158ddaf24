// Which notebook has which link. One link a document, also where several panels show it.
// Relies on panels being announced as they open; a link ends with its document.

import type { NotebookPanel } from "@jupyterlab/notebook";
import { Batches } from "./batches.ts";
import { canFollowUp, codeCell, followUp, optionsFor } from "./execution.ts";
import { Link } from "./link.ts";
import { offerReplay } from "./lost.ts";
import type { TypesMode } from "./messages.ts";

export interface Linked {
  readonly link: Link;
  readonly batches: Batches;
  /** Brings lost variables back; absent where none are lost. */
  replay?: () => void;
}

type Context = NotebookPanel["context"];

export class Links {
  readonly #linked = new Map<Context["model"], Linked>();
  readonly #panels = new Map<Context["model"], Set<NotebookPanel>>();
  #types: TypesMode | undefined;

  of(model: Context["model"] | null | undefined): Linked | undefined {
    return model ? this.#linked.get(model) : undefined;
  }

  /** What mistakes of types should do, in every notebook; undefined where each kernel decides. */
  setTypes(types: TypesMode | undefined): void {
    if (types === this.#types) return;
    this.#types = types;
    for (const { link } of this.#linked.values()) link.tellTypes();
  }

  /** The link of the notebook that a new panel shows. */
  add(panel: NotebookPanel): Linked {
    const { context } = panel;
    const { model } = context;
    const panels = this.#panels.get(model) ?? new Set();
    this.#panels.set(model, panels.add(panel));
    panel.disposed.connect(() => panels.delete(panel));
    const known = this.#linked.get(model);
    if (known) return known;

    const view = () => [...panels].find(({ isDisposed }) => !isDisposed);
    const link = new Link(model, context.sessionContext, {
      execute(id) {
        const panel = view();
        const cell = panel && codeCell(panel, id);
        if (!cell || !canFollowUp(panel, cell)) return false;
        followUp(optionsFor(panel, cell)).catch(() => undefined);
        return true;
      },
      lost(message, cells) {
        linked.replay = () => {
          linked.replay = undefined;
          void batches.replay(cells);
        };
        offerReplay(message, cells, linked.replay);
      },
      types: () => this.#types,
    });
    const batches = new Batches(link, view);
    const linked: Linked = { link, batches };
    this.#linked.set(model, linked);
    context.disposed.connect(() => {
      link.dispose();
      this.#linked.delete(model);
      this.#panels.delete(model);
    });
    return linked;
  }
}
