// Ties the notebook's dataflow to the process that runs its cells. The dataflow, and the parser with it, are loaded when a
// front end first opens `lensor.notebook`: other front ends do without, in the order in which their cells come.
// Relies on notebook.ts. Decides nothing.

import { TARGET } from "../labextension/src/messages.ts";
import type { Executed, ExecuteRequest, Failure } from "../protocol/session.ts";
import type { CommHandler, Comms } from "./comms.ts";
import type { Notebook } from "./notebook.ts";
import type { SessionProcess } from "./process.ts";
import type { Types } from "./types.ts";

export interface NotebookPort {
  /** What the cell's free names mean, and the order of cells where that is news; undefined outside open notebooks. */
  begin(request: ExecuteRequest): Promise<Pick<ExecuteRequest, "meanings" | "order"> | undefined>;
  end(failure: Failure | undefined): Executed;
  aborted(cell: string): Failure | undefined;
  /** Names that the person may complete now, and the import that each would need. False where no page listens. */
  readonly offer: (imports: Readonly<Record<string, string>>) => boolean;
  interrupted(): void;
  close(): void;
}

export function connectNotebook(child: SessionProcess, comms: Comms, types: Types): NotebookPort {
  let notebook: Notebook | undefined;
  let loading: Promise<void> | undefined;
  const load = async (): Promise<void> => {
    const { Notebook } = await import("./notebook.ts");
    notebook = new Notebook({
      removed(cells) {
        child.remove(cells);
        types.removed(cells);
      },
      document: (order, sources) => types.document(order, sources),
      types: (mode) => types.set(mode),
      supersede: () => child.interrupt({ last: false }),
    });
    notebook.variables(child.names);
  };

  comms.register(TARGET, (comm, opening) => {
    loading ??= load();
    // What is said before everything is loaded waits its turn.
    let handler: CommHandler | undefined;
    let turn = loading.then(() => {
      handler = notebook?.open(comm, opening);
      if (!handler) comm.close();
    });
    const inTurn = (act: () => void): void => {
      if (handler) act();
      else turn = turn.then(act);
    };
    return {
      message: (data, buffers) => inTurn(() => handler?.message(data, buffers)),
      closed: () => inTurn(() => handler?.closed?.()),
    };
  });
  child.onChanged = (cell, names, byCode) => notebook?.moved(cell, names, byCode);
  child.onIgnored = (cell) => notebook?.ignored(cell);
  child.onNames = (names) => notebook?.variables(names);
  child.onReset = () => notebook?.reset();
  child.onLost = (message) => notebook?.lost(message);

  return {
    async begin({ cell, code, count, silent }) {
      await loading;
      return cell === undefined || silent ? undefined : notebook?.begin(cell, code, count);
    },
    end(failure) {
      const outcome = !failure ? "ok" : failure.ename === "Interrupt" ? "interrupted" : "error";
      const { superseded, byItself } = notebook!.end(outcome);
      // It will run again at once: that it was stopped is nobody's business.
      if (superseded) return { contained: true };
      return { failure, contained: byItself && outcome === "error" };
    },
    aborted(cell) {
      const evalue = notebook?.aborted(cell);
      return evalue === undefined
        ? undefined
        : { ename: "Cancelled", evalue, traceback: [`\u001b[33mCancelled\u001b[0m: ${evalue}`] };
    },
    offer: (imports) => notebook?.offer(imports) ?? false,
    interrupted: () => notebook?.interrupted(),
    close: () => notebook?.close(),
  };
}
