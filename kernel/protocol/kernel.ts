// The kernel as Jupyter knows it: every request of the messaging protocol, its reply and what it publishes.
// Relies on sockets for messages and on a Session for the language. Executions run one by one in order of arrival;
// everything else is answered at once, also while a cell computes.

import { setTimeout as pause } from "node:timers/promises";
import { commMessage } from "./comm-message.ts";
import { type Execution, executionOf } from "./execution.ts";
import { BadRequest } from "./fields.ts";
import { History } from "./history.ts";
import { Questions } from "./questions.ts";
import { responses } from "./responses.ts";
import type { CommMessage, Executed, Failure, Frontend, MimeBundle, Output, Session } from "./session.ts";
import type { RequestChannel, Sockets } from "./sockets.ts";
import type { Json, Message } from "./wire.ts";

/** How long nothing more may come before what was sent with a failed cell counts as here; and the longest wait. */
const GATHER_MS = 30;
const GATHER_MOST_MS = 300;

interface Queued {
  readonly message: Message;
  readonly execution: Execution;
  readonly channel: RequestChannel;
}

export class Kernel {
  readonly #sockets: Sockets;
  readonly #session: Session;
  readonly #history: History;
  readonly #queue: Queued[] = [];
  readonly #questions: Questions;
  #running: Queued | undefined;
  /** A comm's message while it is being heard: what is said at once is the answer to it, and pages look for their own. */
  #heard: Message | undefined;
  /** What came last: the parent of messages that no single request has caused. */
  #latest: Message | undefined;
  #count = 0;
  #ended!: (restart: boolean) => void;
  /** Resolves when a shutdown was asked for and answered. */
  readonly ended: Promise<boolean>;

  constructor(sockets: Sockets, session: Session, history = new History()) {
    this.#sockets = sockets;
    this.#session = session;
    this.#history = history;
    // A question goes to the client that asked for the execution, on its stdin channel.
    this.#questions = new Questions(
      (to, content) => sockets.reply("stdin", to, "input_request", content).msg_id,
    );
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
    sockets.listen("stdin", (message) => {
      if (message.header.msg_type === "input_reply") this.#questions.answer(message);
    });
    sockets.publish(undefined, "status", { execution_state: "starting" });
  }

  #receive(channel: RequestChannel, message: Message): void {
    this.#latest = message;
    if (message.header.msg_type !== "execute_request") {
      void this.#respond(channel, message);
      return;
    }
    try {
      this.#queue.push({ channel, message, execution: executionOf(message) });
    } catch (error) {
      // Nothing runs of what is not understood whole.
      this.#status("busy", message);
      this.#refuse(channel, message, error as Error);
      this.#settle(message);
    }
    void this.#work();
  }

  /** Requests that need no turn. */
  async #respond(channel: RequestChannel, message: Message): Promise<void> {
    const { msg_type: type } = message.header;
    const respond = responses.get(type);
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
        this.#sockets.reply(channel, message, replyTo(type), { status: "ok", ...content });
      }
    } catch (error) {
      this.#refuse(channel, message, error as Error);
    }
    this.#settle(message);
  }

  #refuse(channel: RequestChannel, message: Message, error: Error): void {
    const { msg_type: type } = message.header;
    if (!type.endsWith("_request")) return;
    const evalue = error instanceof BadRequest ? `${type}: ${error.message}` : error.message;
    const content = { status: "error", ename: error.name, evalue, traceback: [] };
    this.#sockets.reply(channel, message, replyTo(type), content);
  }

  #settle(message: Message): void {
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

  async #execute({ channel, message, execution }: Queued): Promise<void> {
    const { code, silent, cell } = execution;
    this.#status("busy", message);
    if (execution.storeHistory) this.#history.add(++this.#count, code);
    const count = this.#count;
    if (!silent) this.#sockets.publish(message, "execute_input", { code, execution_count: count });

    // A cell that was emptied loses its names; an empty line of a console means nothing.
    const means = code.trim() !== "" || cell !== undefined;
    const pages: MimeBundle[] = [];
    const { failure, contained } = means ? await this.#run(execution, message, count, pages) : {};
    const superseded = contained && !failure;
    const user_expressions = failure || superseded ? {} : await this.#evaluate(execution, count);
    this.#questions.drop(message);
    if (failure && !silent) this.#sockets.publish(message, "error", { ...failure });
    const stops = failure && !contained && execution.stopOnError;
    if (stops) await this.#gather();
    const outcome = failure
      ? { status: "error", ...failure }
      : superseded
        ? { status: "aborted" }
        : { status: "ok", payload: pages.map((data) => ({ source: "page", data, start: 0 })) };
    this.#sockets.reply(
      channel,
      message,
      "execute_reply",
      { ...outcome, execution_count: count, user_expressions },
      { started: message.header.date, ...(cell ? { cellId: cell } : {}) },
    );
    if (stops) this.#abortQueued();
    this.#status("idle", message);
  }

  async #run(execution: Execution, message: Message, count: number, pages: MimeBundle[]): Promise<Executed> {
    const { code, silent, cell, order, deleted } = execution;
    const frontend: Frontend = {
      output: (output) => {
        if (output.type === "page") pages.push(output.data);
        else if (!silent) this.#publishOutput(message, output, count);
      },
      input: (prompt, password) => {
        if (!execution.allowStdin) return Promise.reject(new Error("This front end does not support input."));
        // Front ends listen to a request until it is answered: a later question would be first in line for ever.
        if (this.#running?.message !== message)
          return Promise.reject(new Error("This cell has ended: it can ask nobody any more."));
        return this.#questions.ask(message, prompt, password);
      },
    };
    try {
      const attended = execution.allowStdin;
      return await this.#session.execute({ code, silent, count, cell, order, deleted, attended }, frontend);
    } catch (error) {
      return { failure: failureOf(error as Error) };
    }
  }

  /** The values of the request's user_expressions, or each one's own error. */
  async #evaluate({ expressions }: Execution, count: number): Promise<Json> {
    const found: [string, Json][] = [];
    for (const [name, code] of Object.entries(expressions)) {
      let data: MimeBundle = { "text/plain": "undefined" };
      const frontend: Frontend = {
        output: (output) => {
          if (output.type === "execute_result") data = output.data;
        },
        input: () => Promise.reject(new Error("A user_expression cannot ask for input.")),
      };
      const { failure } = await this.#session
        .execute({ code, silent: true, value: true, count }, frontend)
        .catch((error: Error): Executed => ({ failure: failureOf(error) }));
      found.push([name, failure ? { status: "error", ...failure } : { status: "ok", data, metadata: {} }]);
    }
    return Object.fromEntries(found);
  }

  #publishOutput(parent: Message, output: Exclude<Output, { type: "page" }>, count: number): undefined {
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
      // Where something kept this thread meanwhile, the time is up before the sockets were read.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** After an error, what was queued behind it is answered as aborted, never run. */
  #abortQueued(): void {
    for (const { channel, message, execution } of this.#queue.splice(0)) {
      this.#status("busy", message);
      const { cell, silent } = execution;
      const failure = cell === undefined ? undefined : this.#session.aborted(cell);
      if (failure && !silent) this.#sockets.publish(message, "error", { ...failure });
      // Without a count, since none was given: front ends would show the failed cell's beside a cell that did not run.
      this.#sockets.reply(channel, message, "execute_reply", { status: "aborted" });
      this.#status("idle", message);
    }
  }

  async #shutdown(channel: RequestChannel, message: Message): Promise<void> {
    const restart = message.content.restart === true;
    const content = { status: "ok", restart };
    this.#abortQueued();
    await Promise.all([this.#session.close(), this.#history.close()]);
    this.#sockets.reply(channel, message, "shutdown_reply", content);
    this.#sockets.publish(message, "shutdown_reply", content);
    this.#status("idle", message);
    this.#ended(restart);
  }

  #status(state: "busy" | "idle", parent: Message): void {
    this.#sockets.publish(parent, "status", { execution_state: state });
  }
}

function replyTo(type: string): string {
  return type.replace(/_request$/, "_reply");
}

/** Of a session that could not even try. */
function failureOf({ name, message }: Error): Failure {
  return { ename: name, evalue: message, traceback: [`${name}: ${message}`] };
}
