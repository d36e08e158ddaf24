// One conversation with a language server over its pipes: JSON-RPC messages in frames of the Language Server Protocol.
// Relies on nothing but two streams. Trusts no length it is told, and never leaves a question unanswered when the other side ends.

import type { Readable, Writable } from "node:stream";

/** More than this in one message is no answer about a notebook. */
const LONGEST = 64_000_000;
const HEADER_END = Buffer.from("\r\n\r\n");

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  readonly timer: NodeJS.Timeout;
}

export class Connection {
  readonly #output: Writable;
  readonly #waiting = new Map<number, Waiting>();
  readonly #overdue: () => void;
  #pending: Buffer[] = [];
  #length = 0;
  /** Of the message whose header has come: its length. */
  #expected: number | undefined;
  #lastId = 0;
  #reason: Error | undefined;

  /** @param overdue Called when a question went unanswered for its time. */
  constructor(input: Readable, output: Writable, overdue: () => void) {
    this.#output = output;
    this.#overdue = overdue;
    output.on("error", (error) => this.end(error.message));
    input.on("data", (chunk: Buffer) => this.#take(chunk));
    input.on("end", () => this.end("it closed its output"));
  }

  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  notify(method: string, params: unknown): void {
    this.#send({ method, params });
  }

  request<Result>(method: string, params: unknown, patienceMs: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#reason) return reject(this.#reason);
      const id = ++this.#lastId;
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`The language server did not answer ${method} within ${patienceMs / 1000} s.`));
        this.#overdue();
      }, patienceMs);
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject, timer });
      this.#send({ id, method, params });
    });
  }

  /** Nothing more will come: whoever waits hears why. */
  end(why: string): undefined {
    this.#reason ??= new Error(`The language server has ended: ${why}.`);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(this.#reason);
    }
    this.#waiting.clear();
  }

  #send(message: object): void {
    if (this.#reason) return;
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.#output.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #take(chunk: Buffer): undefined {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    while (this.isOpen && this.#length >= (this.#expected ?? 1)) {
      const all = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
      let rest = all;
      if (this.#expected === undefined) {
        const end = all.indexOf(HEADER_END);
        this.#pending = [all];
        if (end < 0) return;
        const length = Number(/content-length: *(\d+)/i.exec(all.toString("latin1", 0, end))?.[1]);
        if (!(length <= LONGEST)) return this.end("it sent a frame that cannot be read");
        this.#expected = length;
        rest = all.subarray(end + HEADER_END.length);
      } else {
        const body = all.subarray(0, this.#expected);
        rest = all.subarray(this.#expected);
        this.#expected = undefined;
        this.#receive(body);
      }
      this.#pending = [rest];
      this.#length = rest.length;
    }
  }

  #receive(body: Buffer): undefined {
    let message: { id?: number; method?: string; result?: unknown; error?: { message?: string } };
    try {
      message = JSON.parse(body.toString("utf8"));
    } catch {
      return this.end("it sent a message that is no JSON");
    }
    // What the server asks of an editor, such as settings, it gets no answer to but an empty one.
    if (message.method !== undefined) {
      if (message.id !== undefined) this.#send({ id: message.id, result: null });
      return;
    }
    const waiting = this.#waiting.get(message.id ?? 0);
    if (!waiting) return;
    this.#waiting.delete(message.id!);
    clearTimeout(waiting.timer);
    if (message.error) waiting.reject(new Error(`The language server says: ${message.error.message}`));
    else waiting.resolve(message.result);
  }
}
