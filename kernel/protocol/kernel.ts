// The kernel as Jupyter knows it: every request of the messaging protocol, its reply and what it publishes.
// Relies on sockets for messages and on a Session for the language. Executions run one by one in order of arrival;
// everything else is answered at once, also while a cell computes.

import { setTimeout as pause } from "node:timers/promises";
import { History } from "./history.ts";
import { toCodePoints, toUnits } from "./offsets.ts";
import type { CommMessage, Executed, Frontend, Output, Session } from "./session.ts";
import type { RequestChannel, Sockets } from "./sockets.ts";
import { type Json, type Message, PROTOCOL_VERSION } from "./wire.ts";

/** How long nothing more may come before what was sent with a failed cell counts as here; and the longest wait. */
const GATHER_MS = 15;
const GATHER_MOST_MS = 300;

interface Queued {
  readonly message: Message;
  readonly channel: RequestChannel;
}

export class Kernel {
  readonly #sockets: Sockets;
  readonly #session: Session;
  readonly #history = new History();
  readonly #queue: Queued[] = [];
  readonly #questions = new Map<string, (text: string) => void>();
  #running: Queued | undefined;
  /** A comm's message while it is being heard: what is said at once is the answer to it, and pages look for their own. */
  #heard: Message | undefined;
  /** What came last: the parent of messages that no single request has caused. */
  #latest: Message | undefined;
  #count = 0;
  #ended!: (restart: boolean) => void;
  /** Resolves when a shutdown was asked for and answered. */
  readonly ended: Promise<boolean>;

  constructor(sockets: Sockets, session: Session) {
    this.#sockets = sockets;
    this.#session = session;
    this.ended = new Promise((resolve) => {
      this.#ended = resolve;
    });
    session.comms.send = ({ type, id, target, data, metadata, buffers }) => {
      const content = { comm_id: id, data, ...(type === "open" ? { target_name: target } : {}) };
      const parent = this.#heard ?? this.#running?.message ?? this.#latest;
      sockets.publish(parent, `comm_${type}`, content, metadata, buffers);
    };
    sockets.listen("shell", (message) => this.#receive("shell", message));
    sockets.listen("control", (message) => this.#receive("control", message));
    sockets.listen("stdin", (message) => this.#answer(message));
    sockets.publish(undefined, "status", { execution_state: "starting" });
  }

  #receive(channel: RequestChannel, message: Message): void {
    this.#latest = message;
    if (message.header.msg_type === "execute_request") {
      this.#queue.push({ channel, message });
      void this.#work();
    } else void this.#respond(channel, message);
  }

  /** Requests that need no turn. */
  async #respond(channel: RequestChannel, message: Message): Promise<void> {
    const { msg_type: type } = message.header;
    const respond = responses[type];
    this.#status("busy", message);
    try {
      const comm = commMessage(message);
      if (comm) this.#hear(comm, message);
      else if (type === "shutdown_request") return await this.#shutdown(channel, message);
      else if (type === "interrupt_request") {
        this.#session.interrupt();
        this.#sockets.reply(channel, message, "interrupt_reply", { status: "ok" });
      } else if (respond) {
        const content = await respond(message.content, this.#session, this.#history);
        const reply = type.replace(/_request$/, "_reply");
        this.#sockets.reply(channel, message, reply, { status: "ok", ...content });
      }
    } catch (error) {
      const { name, message: evalue } = error as Error;
      const reply = type.replace(/_request$/, "_reply");
      this.#sockets.reply(channel, message, reply, { status: "error", ename: name, evalue, traceback: [] });
    }
    this.#status("idle", message);
    // Front ends show the last state they heard: the cell that is still running is the truth.
    if (this.#running) this.#status("busy", this.#running.message);
  }

  #hear(comm: CommMessage, message: Message): void {
    this.#heard = message;
    try {
      this.#session.comms.receive(comm);
    } finally {
      this.#heard = undefined;
    }
  }

  async #work(): Promise<void> {
    if (this.#running) return;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      this.#running = next;
      await this.#execute(next);
      this.#running = undefined;
    }
  }

  async #execute({ channel, message }: Queued): Promise<void> {
    const { content, metadata } = message;
    const code = String(content.code ?? "");
    const silent = content.silent === true;
    const storeHistory = !silent && content.store_history !== false;
    this.#status("busy", message);
    if (storeHistory) this.#history.add(++this.#count, code);
    const count = this.#count;
    if (!silent) this.#sockets.publish(message, "execute_input", { code, execution_count: count });

    // A cell that was emptied loses its names; an empty line of a console means nothing.
    const means = code.trim() !== "" || typeof metadata.cellId === "string";
    const { failure, contained } = means ? await this.#run(code, silent, count, message) : {};
    if (failure && !silent) this.#sockets.publish(message, "error", { ...failure });
    const stops = failure && !contained && content.stop_on_error !== false;
    if (stops) await this.#gather();
    const superseded = contained && !failure;
    const outcome = failure
      ? { status: "error", ...failure }
      : superseded
        ? { status: "aborted" }
        : { status: "ok", payload: [] };
    this.#sockets.reply(
      channel,
      message,
      "execute_reply",
      { ...outcome, execution_count: count, user_expressions: {} },
      { started: message.header.date, ...(metadata.cellId ? { cellId: metadata.cellId } : {}) },
    );
    if (stops) this.#abortQueued();
    this.#status("idle", message);
  }

  async #run(code: string, silent: boolean, count: number, message: Message): Promise<Executed> {
    const { metadata, content } = message;
    const frontend: Frontend = {
      output: (output) => {
        if (!silent) this.#publishOutput(message, output, count);
      },
      input: (prompt, password) => {
        if (content.allow_stdin !== true)
          return Promise.reject(new Error("This front end does not support input."));
        return this.#ask(message, prompt, password);
      },
    };
    return this.#session.execute(
      {
        code,
        silent,
        count,
        cell: typeof metadata.cellId === "string" ? metadata.cellId : undefined,
        order: strings(metadata.cellOrder),
        deleted: strings(metadata.deletedCells),
      },
      frontend,
    );
  }

  #publishOutput(parent: Message, output: Output, count: number): undefined {
    const publish = (...message: Parameters<Sockets["publish"]>): undefined => {
      this.#sockets.publish(...message);
    };
    switch (output.type) {
      case "stream":
        return publish(parent, "stream", { name: output.name, text: output.text });
      case "execute_result":
        return publish(parent, "execute_result", { data: output.data, metadata: {}, execution_count: count });
      case "clear_output":
        return publish(parent, "clear_output", { wait: output.wait });
      default: {
        const transient = output.id === undefined ? {} : { display_id: output.id };
        return publish(parent, output.type, { data: output.data, metadata: {}, transient });
      }
    }
  }

  /**
   * "Run all" sends its cells one after another: those sent with the cell that failed may still be under way, and would
   * run as if nothing had happened. The reply waits for them; who has not seen it cannot have sent a new request.
   */
  async #gather(): Promise<void> {
    const limit = performance.now() + GATHER_MOST_MS;
    for (let before = -1; before !== this.#queue.length && performance.now() < limit; ) {
      before = this.#queue.length;
      await pause(GATHER_MS);
    }
  }

  /** After an error, what was queued behind it is answered as aborted, never run. */
  #abortQueued(): void {
    for (const { channel, message } of this.#queue.splice(0)) {
      this.#status("busy", message);
      const { cellId } = message.metadata;
      const failure = typeof cellId === "string" ? this.#session.aborted(cellId) : undefined;
      if (failure && message.content.silent !== true) this.#sockets.publish(message, "error", { ...failure });
      // Without a count, since none was given: front ends would show the failed cell's beside a cell that did not run.
      this.#sockets.reply(channel, message, "execute_reply", { status: "aborted" });
      this.#status("idle", message);
    }
  }

  /** An input_request goes to the client that asked for the execution, on its stdin channel. */
  #ask(parent: Message, prompt: string, password: boolean): Promise<string> {
    return new Promise((resolve) => {
      const { session } = parent.header;
      this.#questions.set(session, resolve);
      this.#sockets.reply("stdin", parent, "input_request", { prompt, password });
    });
  }

  #answer(message: Message): void {
    if (message.header.msg_type !== "input_reply") return;
    const { session } = message.header;
    this.#questions.get(session)?.(String(message.content.value ?? ""));
    this.#questions.delete(session);
  }

  async #shutdown(channel: RequestChannel, message: Message): Promise<void> {
    const restart = message.content.restart === true;
    const content = { status: "ok", restart };
    this.#abortQueued();
    await this.#session.close();
    this.#sockets.reply(channel, message, "shutdown_reply", content);
    this.#sockets.publish(message, "shutdown_reply", content);
    this.#status("idle", message);
    this.#ended(restart);
  }

  #status(state: "busy" | "idle", parent: Message): void {
    this.#sockets.publish(parent, "status", { execution_state: state });
  }
}

function strings(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}

const COMM_TYPES = { comm_open: "open", comm_msg: "msg", comm_close: "close" } as const;

/** What a message says of a comm; undefined where it is none, or says nothing that can be read. */
function commMessage({ header, content, metadata, buffers }: Message): CommMessage | undefined {
  const type = COMM_TYPES[header.msg_type as keyof typeof COMM_TYPES];
  const { comm_id: id, target_name: target, data } = content;
  if (!type || typeof id !== "string" || (type === "open" && typeof target !== "string")) return undefined;
  const record = typeof data === "object" && data !== null && !Array.isArray(data) ? (data as Json) : {};
  return {
    type,
    id,
    ...(type === "open" ? { target: target as string } : {}),
    data: record,
    metadata,
    buffers,
  };
}

type Response = (content: Json, session: Session, history: History) => Json | Promise<Json>;

/** Requests that are a question and its answer. */
const responses: Readonly<Record<string, Response>> = {
  kernel_info_request: (_, { info }) => ({
    protocol_version: PROTOCOL_VERSION,
    implementation: info.implementation,
    implementation_version: info.implementationVersion,
    language_info: info.language,
    banner: info.banner,
    debugger: false,
    help_links: [],
    supported_features: [],
  }),
  async complete_request(content, session) {
    const code = String(content.code ?? "");
    const cursor = toUnits(code, Number(content.cursor_pos ?? code.length));
    const { matches, start, end, types } = await session.complete(code, cursor);
    const cursor_start = toCodePoints(code, start);
    const cursor_end = toCodePoints(code, end);
    const typed = matches.map((text, i) => ({ text, type: types[i], start: cursor_start, end: cursor_end }));
    return { matches, cursor_start, cursor_end, metadata: { _jupyter_types_experimental: typed } };
  },
  async inspect_request(content, session) {
    const code = String(content.code ?? "");
    const { found, text } = await session.inspect(code, toUnits(code, Number(content.cursor_pos ?? 0)));
    return { found, data: found ? { "text/plain": text } : {}, metadata: {} };
  },
  async is_complete_request(content, session) {
    const { status, indent } = await session.isComplete(String(content.code ?? ""));
    return status === "incomplete" ? { status, indent } : { status };
  },
  history_request: (content, _, history) => {
    const entries = history.find(content);
    return {
      history: content.output === true ? entries.map(([s, n, code]) => [s, n, [code, null]]) : entries,
    };
  },
  comm_info_request: ({ target_name }, { comms }) => ({
    comms: comms.info(typeof target_name === "string" ? target_name : undefined),
  }),
};
