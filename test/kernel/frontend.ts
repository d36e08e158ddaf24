// A front end with lensor's extension, as the kernel sees it: tells the cells, asks for plans, executes what it is told over
// real sockets, and keeps what each cell shows. Relies on a kernel in this process; the cells run in its child.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dealer, Subscriber } from "zeromq";
import type {
  Mark,
  Mode,
  Planned,
  ToFrontend,
  ToKernel,
  TypesMode,
} from "../../kernel/labextension/src/messages.ts";
import { parseConnection } from "../../kernel/protocol/connection.ts";
import { Kernel } from "../../kernel/protocol/kernel.ts";
import { openSockets } from "../../kernel/protocol/sockets.ts";
import { type Json, type Message, Wire } from "../../kernel/protocol/wire.ts";
import type { SessionOptions } from "../../kernel/session/process.ts";
import { openSession } from "../../kernel/session/session.ts";

const CHANNELS = ["shell", "control", "iopub", "stdin", "hb"];

export interface Executed {
  readonly cell: string;
  readonly count: number;
  readonly status: string;
}

interface Execution {
  readonly cell: string;
  idle: boolean;
  reply?: Json;
  readonly done: (executed: Executed) => void;
}

export class FrontEnd {
  readonly folder: string;
  order: string[] = [];
  readonly sources = new Map<string, string>();
  /** By cell: the text of its value, or of its error. */
  readonly shown = new Map<string, string>();
  readonly marks = new Map<string, Mark>();
  plan: Planned | null = null;
  /** What was executed, in the order of the replies. */
  readonly log: Executed[] = [];
  /** Everything the kernel said over `lensor.notebook`, to this page as it is now. */
  readonly heard: ToFrontend[] = [];
  readonly #others = new Map<string, ToFrontend[]>();
  /** Cells that this front end pretends not to be able to run. */
  readonly declines = new Set<string>();
  /** Widgets by id: their state. */
  readonly widgets = new Map<string, Json>();
  readonly #wire = new Wire("key");
  readonly #executions = new Map<string, Execution>();
  readonly #plans = new Map<number, (cells: readonly string[]) => void>();
  readonly #close: () => Promise<void>;
  readonly #shell: Dealer;
  readonly #control: Dealer;
  #sending: Promise<unknown> = Promise.resolve();
  #told = new Map<string, string>();
  #comm = "";
  #requests = 0;
  #ids = 0;

  static async open(options: SessionOptions = {}): Promise<FrontEnd> {
    const folder = mkdtempSync(join(tmpdir(), "lensor-front-"));
    const file: Record<string, unknown> = { ip: join(folder, "socket"), transport: "ipc", key: "key" };
    for (const [i, channel] of CHANNELS.entries()) file[`${channel}_port`] = i + 1;
    const connection = parseConnection(file);
    const session = openSession({ cwd: folder, ...options });
    const sockets = await openSockets(connection);
    new Kernel(sockets, session);
    const routingId = "front";
    const shell = new Dealer({ routingId });
    const control = new Dealer({ routingId });
    const iopub = new Subscriber();
    shell.connect(connection.address("shell" as never));
    control.connect(connection.address("control" as never));
    iopub.connect(connection.address("iopub" as never));
    iopub.subscribe("");
    const front = new FrontEnd(folder, shell, control, async () => {
      for (const socket of [shell, control, iopub]) socket.close();
      await session.close();
      await sockets.close();
      rmSync(folder, { recursive: true, force: true });
    });
    void front.#listen(shell);
    void front.#listen(control);
    void front.#listen(iopub);
    // The subscription takes a moment to reach the publisher.
    for (let ready = false; !ready; ) {
      const heard = front.#once((m) => m.header.msg_type === "status");
      front.#send("kernel_info_request", {});
      ready = await Promise.race([heard.then(() => true), sleep(50).then(() => false)]);
    }
    return front;
  }

  private constructor(folder: string, shell: Dealer, control: Dealer, close: () => Promise<void>) {
    this.folder = folder;
    this.#shell = shell;
    this.#control = control;
    this.#close = close;
  }

  close(): Promise<void> {
    return this.#close();
  }

  /** Opens the comm, as a page does that is loaded. */
  connect(mode: Mode = "auto", types?: TypesMode): void {
    if (this.#comm) this.#others.set(this.#comm, []);
    this.#comm = `comm-${++this.#ids}`;
    this.#told.clear();
    this.marks.clear();
    this.plan = null;
    const data = { mode, types, ...this.#document() };
    this.#send("comm_open", { comm_id: this.#comm, target_name: "lensor.notebook", data });
  }

  get comm(): string {
    return this.#comm;
  }

  /** What was said to an earlier page since this one came. */
  heardBy(comm: string): readonly ToFrontend[] {
    return this.#others.get(comm) ?? [];
  }

  disconnect(): void {
    this.#send("comm_close", { comm_id: this.#comm, data: {} });
  }

  insert(at: number, source: string, id = `c${++this.#ids}`): string {
    this.order.splice(at, 0, id);
    this.sources.set(id, source);
    return id;
  }

  edit(id: string, source: string): void {
    this.sources.set(id, source);
  }

  remove(id: string): void {
    this.order = this.order.filter((other) => other !== id);
  }

  move(id: string, to: number): void {
    this.remove(id);
    this.order.splice(to, 0, id);
  }

  say(message: ToKernel | Json): void {
    this.#send("comm_msg", { comm_id: this.#comm, data: message as Json });
  }

  /** Tells what has changed. */
  tell(): void {
    this.say({ type: "document", ...this.#document() });
  }

  /** Runs cells as a person does; resolves when all that was planned has been answered. */
  async run(...cells: string[]): Promise<Executed[]> {
    this.tell();
    return this.#follow({ cells });
  }

  async runStale(): Promise<Executed[]> {
    this.tell();
    return this.#follow({ cells: [], stale: true });
  }

  async #follow(ask: { cells: string[]; stale?: boolean }): Promise<Executed[]> {
    const plan = await this.#plan(ask);
    return Promise.all(plan.map((cell) => this.execute(cell)));
  }

  /** One execution, whatever the kernel plans. */
  execute(cell: string): Promise<Executed> {
    return new Promise((done) => {
      const content = { code: this.sources.get(cell) ?? "", silent: false, stop_on_error: true };
      const header = this.#send("execute_request", content, { cellId: cell });
      this.#executions.set(header, { cell, idle: false, done });
    });
  }

  /** A request as some other front end sends it. Returns the text of its value or error. */
  async request(content: Json, metadata: Json): Promise<string | undefined> {
    const cell = `request ${++this.#ids}`;
    await new Promise<Executed>((done) => {
      const id = this.#send("execute_request", content, metadata);
      this.#executions.set(id, { cell, idle: false, done });
    });
    return this.shown.get(cell);
  }

  interrupt(): void {
    this.#send("interrupt_request", {}, {}, this.#control);
  }

  /** Moves a widget, as the widgets' page does. */
  slide(id: string, value: unknown): void {
    this.#send("comm_msg", { comm_id: id, data: { method: "update", state: { value }, buffer_paths: [] } });
  }

  /** Resolves as soon as a cell shows a text. */
  whenShown(cell: string, text: string): Promise<void> {
    return this.#once(() => this.shown.get(cell) === text);
  }

  /** Waits until nothing runs and nothing follows, and all marks have come. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      await this.#plan({ cells: [] });
      await until(() => this.#executions.size === 0, 60_000);
      const before = this.log.length;
      await sleep(25);
      await this.#plan({ cells: [] });
      quiet = this.log.length === before && this.#executions.size === 0 && !this.plan ? quiet + 1 : 0;
    }
  }

  #plan(ask: { cells: string[]; stale?: boolean }): Promise<readonly string[]> {
    const request = ++this.#requests;
    const answer = new Promise<readonly string[]>((resolve) => this.#plans.set(request, resolve));
    this.say({ type: "run", request, ...ask });
    return answer;
  }

  #document() {
    const changed = this.order.filter((id) => this.#told.get(id) !== this.sources.get(id));
    this.#told = new Map(this.order.map((id) => [id, this.sources.get(id)!]));
    return {
      order: this.order,
      sources: Object.fromEntries(changed.map((id) => [id, this.sources.get(id)!])),
    };
  }

  #send(type: string, content: Json, metadata: Json = {}, socket = this.#shell): string {
    const header = { ...this.#wire.header(type), session: "front" };
    const frames = this.#wire.encode({
      identities: [],
      header,
      parent: {},
      metadata,
      content,
      buffers: [],
    });
    this.#sending = this.#sending.then(() => socket.send(frames)).catch(() => {});
    return header.msg_id;
  }

  #waiting: { test: (message: Message) => boolean; resolve: () => void }[] = [];

  #once(test: (message: Message) => boolean): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ test, resolve }));
  }

  async #listen(socket: Dealer | Subscriber): Promise<void> {
    for await (const frames of socket) {
      const message = this.#wire.decode(frames);
      if (message) this.#hear(message);
    }
  }

  #hear(message: Message): void {
    this.#take(message);
    for (const waiting of this.#waiting) if (waiting.test(message)) waiting.resolve();
    this.#waiting = this.#waiting.filter(({ test }) => !test(message));
  }

  #take(message: Message): void {
    const { content, header } = message;
    const parent = (message.parent as { msg_id?: string }).msg_id ?? "";
    const execution = this.#executions.get(parent);
    switch (header.msg_type) {
      case "execute_input":
        if (execution) this.shown.delete(execution.cell);
        return;
      case "execute_result":
      case "error":
        if (execution) this.shown.set(execution.cell, shownText(content));
        return;
      case "execute_reply":
        if (execution) execution.reply = content;
        this.#finish(parent);
        return;
      case "status":
        if (execution && content.execution_state === "idle") execution.idle = true;
        this.#finish(parent);
        return;
      case "comm_open":
        if (content.target_name === "jupyter.widget")
          this.widgets.set(String(content.comm_id), (content.data as { state: Json }).state);
        return;
      case "comm_close":
        this.widgets.delete(String(content.comm_id));
        return;
      case "comm_msg":
        if (content.comm_id === this.#comm) this.#obey(content.data as ToFrontend);
        else this.#others.get(String(content.comm_id))?.push(content.data as ToFrontend);
        return;
    }
  }

  #finish(id: string): void {
    const execution = this.#executions.get(id);
    if (!execution?.reply || !execution.idle) return;
    this.#executions.delete(id);
    const { cell, reply } = execution;
    const executed = { cell, count: Number(reply.execution_count), status: String(reply.status) };
    this.log.push(executed);
    execution.done(executed);
  }

  #obey(message: ToFrontend): void {
    this.heard.push(message);
    if (message.type === "plan") this.#plans.get(message.request)?.(message.cells);
    if (message.type === "marks") {
      for (const [id, mark] of Object.entries(message.marks)) this.marks.set(id, mark);
      if (message.plan !== undefined) this.plan = message.plan;
    }
    if (message.type !== "execute") return;
    if (this.declines.has(message.cell) || !this.order.includes(message.cell))
      this.say({ type: "declined", cell: message.cell });
    else void this.execute(message.cell);
  }
}

function shownText(content: Json): string {
  if ("ename" in content) return `${content.ename}: ${content.evalue}`;
  return String((content.data as Json)["text/plain"]);
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(holds: () => boolean, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; !holds(); await sleep(3))
    if (Date.now() > end) throw new Error("It did not happen in time.");
}
