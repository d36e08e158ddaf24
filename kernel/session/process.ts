// The host's handle on the child process: starts it at once, hands it cells, passes on what it says, and when it dies
// says so clearly and starts another. Relies on link.ts's pipes. Never runs the person's code, never blocks.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { ExecuteRequest, Failure, Frontend, Output } from "../protocol/session.ts";
import { Comms } from "./comms.ts";
import { Started, signalGroup } from "./group.ts";
import {
  BACKGROUND,
  BROKEN,
  COMMANDS,
  CONTROLS,
  type Command,
  type Control,
  EVENTS,
  type Event,
  encode,
  lines,
  type NameFacts,
} from "./link.ts";
import { unnamedCell } from "./namespace.ts";
import { Outlets } from "./outlets.ts";
import { packageRoot } from "./root.ts";
import { Widgets } from "./widgets.ts";

export interface SessionOptions {
  /** The notebook's folder. */
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** How long an interrupted cell may take to stop before its process is ended. */
  readonly graceMs?: number;
  /** Where inputs meet their front ends. */
  readonly comms?: Comms;
}

type Running = {
  readonly run: number;
  readonly started: Started;
  readonly resolve: (failure: Failure | undefined) => void;
};

const GRACE_MS = 5000;
/** How long a child may take to answer when it did not before, in the same run. */
const DEAF_MS = 20;
/** How long a child whose pipes have closed may take to end by itself. */
const CLOSED_MS = 300;
/** How long what cells left behind may clean up when the session ends. */
const CLEANUP_MS = 1200;
const LAST_WORDS = 8192;
const DYING = /^(<--- Last few GCs|FATAL ERROR:|----- Native stack trace)/m;

export class SessionProcess {
  /** What the child last said of its names, for answers while it is busy. */
  names: readonly NameFacts[] = [];
  /** An input that a cell made has another value: told with the cell's names that hold it, none where that is not known. */
  onChanged: (cell: string, names: readonly string[], byCode: boolean) => void = () => {};
  /** An input that a cell made was moved, and the child has its hands too full to look. */
  onIgnored: (cell: string) => void = () => {};
  /** The child has said something new of its names. */
  onNames: (names: readonly NameFacts[]) => void = () => {};
  /** The code has dropped all names. */
  onReset: () => undefined = () => undefined;
  /** The child is gone, and all values with it. */
  onLost: (message: string) => void = () => {};
  readonly #options: SessionOptions;
  readonly #widgets: Widgets;
  readonly #outlets = new Outlets();
  readonly #replies = new Map<number, (body: unknown) => void>();
  #child: ChildProcess | undefined;
  #ready: Promise<void> = Promise.resolve();
  #running: Running | undefined;
  /** The run whose interrupt the control thread has not confirmed yet. */
  #interrupted: Running | undefined;
  #lastRun = 0;
  #lastId = 0;
  #lastWords = "";
  #exitCode: number | undefined;
  /** The last run in which the child was too busy to answer: asked again, it gets less time. */
  #deafRun: number | undefined;
  #grace: NodeJS.Timeout | undefined;
  #overdue = false;
  #cutOff = false;
  #wasReady = false;
  #closing = false;

  constructor(options: SessionOptions = {}) {
    this.#options = options;
    this.#widgets = new Widgets(
      options.comms ?? new Comms(),
      (command) => this.#child && this.#send(command),
      (cell) => this.onIgnored(cell),
    );
    this.#start();
  }

  /** The child's process id, for measurements and tests. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  async execute(request: ExecuteRequest, frontend: Frontend): Promise<Failure | undefined> {
    if (!this.#child) this.#start();
    const run = ++this.#lastRun;
    this.#outlets.forget(request.deleted ?? []);
    this.#outlets.open(run, request.cell, frontend);
    return new Promise((resolve) => {
      this.#running = { run, started: new Started(this.#child!.pid!), resolve };
      this.#send({
        op: "run",
        run,
        // What leaves nothing behind must not take away what its cell has.
        cell: request.silent || request.cell === undefined ? unnamedCell(run) : request.cell,
        code: request.code,
        label: request.silent ? "Cell" : `Cell [${request.count}]`,
        order: request.order,
        deleted: request.deleted,
        meanings: request.meanings,
        silent: request.silent,
        value: request.value,
      });
    });
  }

  /** Cells that are gone: what they left behind ends, and late output of theirs goes nowhere. */
  remove(cells: readonly string[]): void {
    this.#outlets.forget(cells);
    if (this.#child) this.#send({ op: "remove", cells });
  }

  /** Asks the child about code; undefined when it does not answer in time, because a cell keeps it busy. */
  async ask(op: "complete" | "inspect", code: string, cursor: number, patienceMs: number): Promise<unknown> {
    if (!this.#child) this.#start();
    await this.#ready;
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const run = this.#running?.run;
      const deaf = run !== undefined && run === this.#deafRun;
      const timer = setTimeout(
        () => {
          this.#deafRun = run;
          finish(undefined);
        },
        deaf ? DEAF_MS : patienceMs,
      );
      const finish = (body: unknown): void => {
        clearTimeout(timer);
        this.#replies.delete(id);
        resolve(body);
      };
      this.#replies.set(id, finish);
      this.#send({ op, id, code, cursor });
    });
  }

  /**
   * Stops the running cell: first its signal and the guards in its code, at last its process.
   * @param last Whether its process may be ended, and all values with it, when nothing else helps.
   */
  interrupt({ last = true } = {}): void {
    const running = this.#running;
    const child = this.#child;
    if (!child) return;
    const control: Control = { op: "interrupt", run: running?.run ?? BACKGROUND };
    pipe(child, CONTROLS).write(encode(control));
    if (!running) return;
    if (!this.#grace) this.#interrupted = running;
    if (last)
      this.#grace ??= setTimeout(() => {
        this.#overdue = true;
        signalGroup(child.pid, "SIGKILL");
      }, this.#graceMs);
  }

  get #graceMs(): number {
    return this.#options.graceMs ?? GRACE_MS;
  }

  async close(): Promise<void> {
    this.#closing = true;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    // What runs ends first: the child hears nothing else before. Where nothing ever ran, nothing is to be cleaned up.
    if (this.#running) this.interrupt({ last: false });
    const patience = this.#lastRun ? CLEANUP_MS : 0;
    if (patience) this.#send({ op: "close" });
    const timers = [
      setTimeout(() => signalGroup(child.pid, "SIGTERM"), patience),
      setTimeout(() => signalGroup(child.pid, "SIGKILL"), patience + 500),
    ];
    await ended;
    for (const timer of timers) clearTimeout(timer);
    // What the cells started, and what ignored the first signal, goes with the session.
    signalGroup(child.pid, "SIGKILL");
  }

  #start(): void {
    const script = join(packageRoot(), "dist/kernel/session/child.js");
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script], {
      cwd: this.#options.cwd,
      env: this.#options.env ?? process.env,
      // A process group of its own, which interrupts and shutdown signal whole.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
    });
    this.#child = child;
    this.#exitCode = undefined;
    this.#lastWords = "";
    this.#overdue = false;
    this.#cutOff = false;
    this.#wasReady = false;
    this.#interrupted = undefined;
    let ready!: () => void;
    this.#ready = new Promise((resolve) => {
      ready = resolve;
    });
    const events = pipe(child, EVENTS);
    events.on(
      "data",
      lines<Event>((event) => {
        if (event.event !== "ready") return this.#receive(event);
        this.#wasReady = true;
        ready();
      }),
    );
    // Text that never passed through the session's own streams: native code, and the cells' child processes.
    for (const name of ["stdout", "stderr"] as const)
      child[name]!.setEncoding("utf8").on("data", (text: string) => {
        if (name === "stderr") this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
        // A dying Node prints pages of its own stack: the cause is told in a line instead.
        if (!DYING.test(this.#lastWords)) this.#show(this.#lastRun, { type: "stream", name, text });
      });
    pipe(child, CONTROLS).on(
      "data",
      lines<Control>(({ run }) => {
        const interrupted = this.#interrupted;
        this.#interrupted = undefined;
        if (interrupted?.run === run) interrupted.started.stop(this.#graceMs);
      }),
    );
    for (const fd of [COMMANDS, CONTROLS]) pipe(child, fd).on("error", () => {});
    for (const fd of [EVENTS, COMMANDS, CONTROLS]) pipe(child, fd).once("close", () => this.#closed(child));
    child.on("error", (error) => this.#ended(child, `it could not be started: ${error.message}`));
    child.on("exit", (code, signal) => {
      ready();
      // The events' pipe may still hold the child's last words.
      const conclude = (): void => this.#ended(child, this.#causeOfEnd(code, signal));
      if (events.readableEnded) return conclude();
      const timer = setTimeout(conclude, 300);
      events.once("end", () => {
        clearTimeout(timer);
        conclude();
      });
    });
  }

  #send(command: Command): void {
    pipe(this.#child!, COMMANDS).write(encode(command));
  }

  /** A pipe's other end closes with the child, or because a cell has closed what it did not open: then it hears nothing more. */
  #closed(child: ChildProcess): void {
    setTimeout(() => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      this.#cutOff = true;
      signalGroup(child.pid, "SIGKILL");
    }, CLOSED_MS).unref();
  }

  #show(run: number, output: Output): undefined {
    this.#outlets.show(run, output);
  }

  #receive(event: Exclude<Event, { event: "ready" }>): undefined {
    switch (event.event) {
      case "stream":
        return this.#show(event.run || this.#lastRun, { type: "stream", name: event.name, text: event.text });
      case "display":
        return this.#show(event.run, { type: "display_data", data: event.data, id: event.id });
      case "update":
        return this.#show(event.run, { type: "update_display_data", data: event.data, id: event.id });
      case "result":
        return this.#show(event.run, { type: "execute_result", data: event.data });
      case "clear":
        return this.#show(event.run, { type: "clear_output", wait: event.wait });
      case "page":
        return this.#show(event.run, { type: "page", data: event.data });
      case "reset":
        return this.onReset();
      case "input":
        this.#askPerson(event);
        return;
      case "done":
        return this.#finish(event.run, event.failure);
      case "names":
        this.names = event.names;
        this.onNames(event.names);
        return;
      case "reply":
        this.#replies.get(event.id)?.(event.body);
        return;
      case "widget-open":
      case "widget-value":
      case "widget-took":
      case "widget-close":
        this.#widgets.receive(event);
        return;
      case "changed":
        this.onChanged(event.cell, event.names, event.byCode);
        return;
      case "exit":
        this.#exitCode = event.code;
        return;
    }
  }

  #askPerson({ run, id, prompt, password }: Extract<Event, { event: "input" }>): void {
    const asked = this.#outlets.frontend(run)?.input(prompt, password);
    void asked?.then(
      (text) => this.#child && this.#send({ op: "input", id, text }),
      (error: Error) => this.#child && this.#send({ op: "input", id, text: "", refused: error.message }),
    );
  }

  #finish(run: number, failure: Failure | undefined): undefined {
    if (this.#running?.run !== run) return;
    const { resolve, started } = this.#running;
    if (failure?.ename === "Interrupt") {
      if (this.#interrupted?.run === run) started.stop(this.#graceMs);
      started.seal();
    }
    this.#interrupted = undefined;
    this.#outlets.settle(run);
    this.#running = undefined;
    clearTimeout(this.#grace);
    this.#grace = undefined;
    resolve(failure);
  }

  #causeOfEnd(code: number | null, signal: NodeJS.Signals | null): string {
    if (this.#overdue)
      return `the cell did not stop within ${this.#graceMs / 1000} s of the interrupt, so its process was ended`;
    if (/heap out of memory|Reached heap limit/.test(this.#lastWords))
      return "JavaScript ran out of memory (its heap limit was reached)";
    if (this.#cutOff) return "the code closed pipes that belong to the session (file descriptors 3 to 5)";
    if (code === BROKEN)
      return "the code changed built-ins of JavaScript that the session itself relies on, such as Array.prototype.map";
    if (this.#exitCode !== undefined) return `the code ended its process with exit code ${this.#exitCode}`;
    if (signal === "SIGKILL")
      return "its process was killed, most likely because the machine ran out of memory";
    return signal ? `its process died of ${signal}` : `its process ended with exit code ${code}`;
  }

  /** The child is gone: the running cell fails with the reason, and a fresh child takes over. */
  #ended(child: ChildProcess, cause: string): void {
    if (this.#child !== child) return;
    signalGroup(child.pid, "SIGKILL");
    this.#child = undefined;
    this.names = [];
    // Of a kernel that ends, the page knows by itself that nothing in it lives on.
    if (!this.#closing) this.#widgets.closeAll();
    for (const finish of [...this.#replies.values()]) finish(undefined);
    if (this.#closing) return;
    const message = `The session was lost: ${cause}. Its variables are gone; a fresh session is ready: run the cells again.`;
    this.onLost(message);
    const running = this.#running;
    if (running) {
      const evalue = message;
      this.#finish(running.run, {
        ename: "SessionLost",
        evalue,
        traceback: [`\u001b[1;31mSessionLost\u001b[0m: ${evalue}`],
      });
    } else this.#show(this.#lastRun, { type: "stream", name: "stderr", text: `${message}\n` });
    // A child that died before it was ready would only die again: the next request tries anew.
    if (this.#wasReady) this.#start();
  }
}

/** One of the child's extra pipes, which Node's types do not count that far. */
function pipe(child: ChildProcess, fd: number): Duplex {
  return (child.stdio as readonly unknown[])[fd] as Duplex;
}
