// The kernel's side of reactive notebooks: hears the cells from the extension, tells it what to execute and how each cell
// stands. Relies on kernel/dataflow for every decision. Runs nothing: cells come as ordinary executions.

import { Dataflow, type Meanings } from "../dataflow/dataflow.ts";
import type { Node } from "../dataflow/graph.ts";
import { blame, drawn, marksOf, planned } from "../dataflow/marks.ts";
import { Scheduler } from "../dataflow/scheduler.ts";
import type { Outcome } from "../dataflow/status.ts";
import type { Mark, ToFrontend, TypesMode } from "../labextension/src/messages.ts";
import type { CommMessage } from "../protocol/session.ts";
import type { Comm, CommHandler } from "./comms.ts";
import type { NameFacts } from "./link.ts";
import { documentOf, type Known, modeOf, requestOf, typesOf } from "./notebook-requests.ts";

export interface Hooks {
  /** The cells in document order, with the texts that are new. */
  document(order: readonly string[], sources: Readonly<Record<string, string>>): void;
  /** Cells that are gone: their values may go. */
  removed(cells: readonly string[]): void;
  /** What mistakes of types should do; undefined where the person has set nothing. */
  types(mode: TypesMode | undefined): void;
  /** What the running cell will show is out of date already: it is to be stopped, and will run again. */
  supersede(): void;
}

/** Front ends are told of marks at this pace at most. */
const PACE_MS = 15;
/** How long a cell that a front end was told to execute may take to come. */
const PATIENCE_MS = 5000;
/** A cell that has this much left to run, on values that have changed meanwhile, is stopped. */
const WORTH_STOPPING_SECONDS = 0.3;

/** One open page of a notebook. */
interface View {
  readonly comm: Comm;
  readonly watch: { graph: boolean; variables: boolean };
  marks: ReadonlyMap<string, Mark>;
  plan: string;
  /** By type: the last message to a panel, as text. */
  readonly sent: Map<string, string>;
}

/** The cells of one notebook. Notebooks that share a kernel stand one behind the other. */
interface Document {
  order: readonly string[];
  /** Its pages; the one that spoke last is last, and executes what follows. */
  views: readonly View[];
}

/** Pages that went away without a word are forgotten when so many others have come. */
const MOST_VIEWS = 8;

export class Notebook {
  readonly #flow = new Dataflow();
  readonly #scheduler = new Scheduler(this.#flow);
  readonly #hooks: Hooks;
  #documents: Document[] = [];
  #variables: readonly NameFacts[] = [];
  #runs = 0;
  #running: { readonly cell: string; readonly since: number; readonly byItself: boolean } | undefined;
  /** The cell that a front end was told to execute, until it comes. */
  #ordered: string | undefined;
  #superseded = false;
  #patience: NodeJS.Timeout | undefined;
  #telling: NodeJS.Timeout | undefined;
  #quietUntil = 0;
  #orderTold = "";
  #offered = false;

  constructor(hooks: Hooks) {
    this.#hooks = hooks;
  }

  /** A page opens its notebook. Undefined where what it says of it cannot be read. */
  open(comm: Comm, { data }: CommMessage): CommHandler | undefined {
    const opening = documentOf(data);
    if (!opening) return undefined;
    const view: View = {
      comm,
      watch: { graph: false, variables: false },
      marks: new Map(),
      plan: "",
      sent: new Map(),
    };
    // A page of a notebook that is known already, perhaps loaded anew, changes nothing of what has run.
    const known = this.#documents.find(({ order }) => order.some((id) => opening.order.includes(id)));
    const document: Document = known ?? { order: [], views: [] };
    if (!known) this.#documents.push(document);
    this.#speaks(document, view);
    for (const forgotten of document.views.slice(0, -MOST_VIEWS)) forgotten.comm.close();
    document.views = document.views.slice(-MOST_VIEWS);
    this.#scheduler.mode = modeOf(data.mode) ?? "auto";
    this.#hooks.types(typesOf(data.types));
    this.#update(document, opening);
    this.#tellAll();
    return {
      message: (said) => this.#receive(document, view, said),
      closed: () => {
        document.views = document.views.filter((other) => other !== view);
        this.#advance();
      },
    };
  }

  /**
   * An execution of a cell begins. What its free names mean, and the order of all cells where the session does not know it
   * yet; undefined for a cell of no open notebook.
   */
  begin(
    cell: string,
    code: string,
    count: number,
  ): { meanings: Meanings; order?: readonly string[] } | undefined {
    if (!this.#flow.has(cell)) return undefined;
    const byItself = this.#ordered === cell;
    if (byItself) this.#ordered = undefined;
    this.#running = { cell, since: performance.now(), byItself };
    this.#stopWaiting();
    this.#superseded = false;
    const meanings = this.#flow.begin(cell, code, ++this.#runs, count);
    this.#scheduler.started(cell);
    this.#tellSoon();
    const order = this.#documents.flatMap((document) => document.order);
    const text = order.join("\n");
    if (text === this.#orderTold) return { meanings };
    this.#orderTold = text;
    return { meanings, order };
  }

  /** It has ended. Says whether it was stopped for its own sake, and whether it was run by itself, not asked for. */
  end(outcome: Outcome): { superseded: boolean; byItself: boolean } {
    const running = this.#running!;
    this.#running = undefined;
    const superseded = this.#superseded && outcome === "interrupted";
    this.#flow.end(outcome, (performance.now() - running.since) / 1000);
    this.#scheduler.executed(running.cell, superseded ? "error" : outcome);
    this.#tellSoon();
    // The reply of this execution goes first.
    setImmediate(() => this.#advance());
    return { superseded, byItself: running.byItself };
  }

  /** A queued cell was not run since one before it failed: whose fault it is. */
  aborted(cell: string): string | undefined {
    this.#scheduler.dropAsked([cell]);
    this.#tellSoon();
    setImmediate(() => this.#advance());
    return blame(this.#flow, cell);
  }

  /** An input has another value now. */
  moved(cell: string, names: readonly string[], byCode: boolean): void {
    this.#scheduler.moved(cell, names, !byCode);
    const running = this.#running;
    if (running && this.#scheduler.follows(running.cell)) this.#supersede();
    this.#tellSoon();
    this.#advance();
  }

  /** An input was moved, and the running cell leaves nobody the time to look: it is out of date if it rests on it. */
  ignored(cell: string): void {
    const running = this.#running && this.#flow.graph.byId.get(this.#running.cell);
    const input = this.#flow.graph.byId.get(cell);
    if (running && input && restsOn(running, input)) this.#supersede();
  }

  /** The code has dropped all names: no cell has run. */
  reset(): undefined {
    this.#forgetAll();
  }

  /** The process that held the values has ended. */
  lost(message: string): void {
    // The cell that was running may be what ended it: to run it again, and what rests on it, is for the person to decide.
    const cells = this.#forgetAll();
    const { byId } = this.#flow.graph;
    const crashed = this.#running && byId.get(this.#running.cell);
    const safe = cells.filter((cell) => !(crashed && restsOn(byId.get(cell)!, crashed)));
    this.#scheduler.dropAsked();
    this.#ordered = undefined;
    for (const { order, views } of this.#documents) {
      const own = safe.filter((cell) => order.includes(cell));
      if (own.length) views.at(-1)?.comm.send({ type: "lost", message, cells: own });
    }
  }

  /** Returns the cells that had run. */
  #forgetAll(): string[] {
    const cells = this.#flow.lost();
    this.#scheduler.rest();
    this.#variables = [];
    this.#orderTold = "";
    this.#tellSoon();
    return cells;
  }

  variables(facts: readonly NameFacts[]): void {
    this.#variables = facts;
    this.#flow.keep(facts.filter(({ type }) => type === "Input"));
    this.#tellSoon();
  }

  /** Names that may be completed now, and the import that each would need: the pages add it. False where none is open. */
  offer(imports: Readonly<Record<string, string>>): boolean {
    const views = this.#documents.flatMap((document) => document.views);
    const isNews = Object.keys(imports).length > 0 || this.#offered;
    this.#offered = Object.keys(imports).length > 0;
    for (const { comm } of isNews ? views : []) comm.send({ type: "imports", imports });
    return views.length > 0;
  }

  /** The person stops what runs: nothing follows either. */
  interrupted(): void {
    this.#superseded = false;
    this.#scheduler.rest();
    this.#tellSoon();
  }

  close(): void {
    this.#stopWaiting();
    clearTimeout(this.#telling);
    this.#documents = [];
  }

  #receive(document: Document, view: View, data: CommMessage["data"]): void {
    const request = requestOf(data);
    if (!request || !document.views.includes(view)) return;
    this.#speaks(document, view);
    switch (request.type) {
      case "document":
        this.#update(document, request);
        break;
      case "mode":
        this.#scheduler.mode = request.mode;
        break;
      case "types":
        this.#hooks.types(request.types);
        break;
      case "run": {
        const cells = request.stale ? this.#scheduler.stale() : request.cells;
        const own = new Set(document.order);
        const plan = this.#scheduler.ask(cells.filter((cell) => own.has(cell)));
        this.#send(view, { type: "plan", request: request.request, cells: plan });
        break;
      }
      case "declined":
        if (this.#ordered === request.cell) this.#ordered = undefined;
        this.#scheduler.dropFollowing(request.cell);
        this.#scheduler.dropAsked([request.cell]);
        break;
      case "watch":
        Object.assign(view.watch, { graph: request.graph, variables: request.variables });
        view.sent.clear();
        break;
    }
    this.#tellSoon();
    this.#advance();
  }

  #speaks(document: Document, view: View): void {
    document.views = [...document.views.filter((other) => other !== view), view];
  }

  #update(document: Document, { order, sources }: Known): void {
    const others = new Set(this.#documents.flatMap((d) => (d === document ? [] : d.order)));
    document.order = order.filter((id) => !others.has(id));
    const all = this.#documents.flatMap((d) => d.order);
    const gone = this.#flow.setDocument(all, sources);
    this.#hooks.document(all, sources);
    if (gone.length === 0) return;
    this.#scheduler.dropAsked(gone);
    this.#hooks.removed(gone);
  }

  /** Tells a front end to execute what comes next by itself. */
  #advance(): void {
    if (this.#ordered === undefined) {
      const next = this.#scheduler.next();
      const document = this.#documents.find(({ order }) => next !== undefined && order.includes(next));
      const view = document?.views.at(-1);
      if (view) {
        this.#ordered = next!;
        this.#send(view, { type: "execute", cell: next! });
      } else if (next !== undefined) this.#scheduler.rest();
    }
    const waits = this.#ordered !== undefined || this.#scheduler.asked.length > 0;
    if (!waits || this.#running) this.#stopWaiting();
    else this.#patience ??= setTimeout(() => this.#giveUp(), PATIENCE_MS);
  }

  #stopWaiting(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  /** A page that went away, or forgot: nobody waits for its cells for ever. */
  #giveUp(): void {
    this.#patience = undefined;
    if (this.#running) return;
    if (this.#ordered !== undefined) this.#scheduler.dropFollowing(this.#ordered);
    this.#ordered = undefined;
    this.#scheduler.dropAsked();
    this.#tellSoon();
    this.#advance();
  }

  /** Stops the running cell, where it runs by itself and will not be done soon. */
  #supersede(): void {
    const running = this.#running;
    if (!running?.byItself || this.#superseded) return;
    const taken = (performance.now() - running.since) / 1000;
    const left = (this.#flow.seconds(running.cell) ?? 0) - taken;
    // One that takes longer than last time may take for ever.
    if (left < 0 ? taken < WORTH_STOPPING_SECONDS : left < WORTH_STOPPING_SECONDS) return;
    this.#superseded = true;
    this.#hooks.supersede();
  }

  #tellSoon(): void {
    const wait = Math.max(PACE_MS, this.#quietUntil - performance.now());
    this.#telling ??= setTimeout(() => this.#tellAll(), wait);
  }

  #tellAll(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    if (!this.#documents.some(({ views }) => views.length)) return;
    const start = performance.now();
    const plan = this.#scheduler.plan();
    const marks = marksOf(this.#flow, plan, this.#running?.cell);
    for (const { order, views } of this.#documents)
      for (const view of views) this.#tell(view, order, marks, plan);
    // A notebook of thousands of cells is told less often, so that telling never takes the whole time.
    this.#quietUntil = performance.now() + 4 * (performance.now() - start);
  }

  #tell(
    view: View,
    order: readonly string[],
    marks: ReadonlyMap<string, Mark>,
    plan: readonly string[],
  ): void {
    const own = this.#scheduler.mode === "off" ? [] : order;
    const now = new Map(own.flatMap((id) => (marks.has(id) ? [[id, marks.get(id)!] as const] : [])));
    const changed = [...now].filter(([id, mark]) => !same(mark, view.marks.get(id)));
    // In mode `off` nothing is marked: what was, is taken back.
    for (const id of view.marks.keys())
      if (!now.has(id) && order.includes(id)) changed.push([id, { state: "new", frozen: false, why: "" }]);
    const text = plan.join("\n");
    if (changed.length || text !== view.plan)
      this.#send(view, {
        type: "marks",
        marks: Object.fromEntries(changed),
        ...(text === view.plan ? {} : { plan: planned(this.#flow, plan) }),
      });
    view.marks = now;
    view.plan = text;
    if (view.watch.graph) this.#sendNew(view, { type: "graph", ...drawn(this.#flow) });
    if (view.watch.variables) {
      const known = new Set(order);
      const variables = this.#variables.filter(({ cell }) => known.has(cell));
      this.#sendNew(view, {
        type: "variables",
        variables: variables.map(({ members: _, ...facts }) => facts),
      });
    }
  }

  /** Sends what is not what was sent last. */
  #sendNew(view: View, message: ToFrontend): void {
    const text = JSON.stringify(message);
    if (view.sent.get(message.type) === text) return;
    view.sent.set(message.type, text);
    this.#send(view, message);
  }

  #send(view: View, message: ToFrontend): void {
    view.comm.send(message as unknown as Record<string, unknown>);
  }
}

function restsOn(node: Node, other: Node): boolean {
  const seen = new Set<Node>();
  const waiting = [node];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (next === other) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    waiting.push(...next.parents.keys());
  }
  return false;
}

function same(a: Mark, b: Mark | undefined): boolean {
  return (
    b !== undefined &&
    a.state === b.state &&
    a.frozen === b.frozen &&
    a.why === b.why &&
    a.seconds === b.seconds
  );
}
