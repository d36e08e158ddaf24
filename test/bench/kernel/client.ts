/**
 * A Jupyter client of the benchmarks' own: starts a kernel, any kernel, and speaks the protocol to it over zeromq, with
 * nothing between that would be measured too. Over local socket files: a port that was free may be somebody else's by now.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer, Subscriber } from "zeromq";

export interface Contestant {
  readonly name: string;
  command(connectionFile: string): [program: string, ...args: string[]];
  /** What stands between path and number in the addresses that this kernel makes of an ipc connection. */
  readonly joint: "-" | ":";
  readonly interrupt: "message" | "signal";
}

type Json = Record<string, unknown>;

interface Message {
  readonly type: string;
  readonly parent: string;
  readonly content: Json;
  readonly bytes: number;
}

export interface Executed {
  readonly reply: Json;
  /** From the request's sending to both its reply and its idle status, ms. */
  readonly ms: number;
  /** What it published, between busy and idle. */
  readonly outputs: readonly Message[];
}

const PORTS = { shell_port: 1, iopub_port: 2, stdin_port: 3, control_port: 4, hb_port: 5 };
const PATIENCE_MS = 20_000;

export class KernelClient {
  readonly process: ChildProcess;
  readonly startedAt = performance.now();
  #closed = false;
  readonly #folder = mkdtempSync(join(tmpdir(), "lensor-bench-"));
  readonly #key = randomUUID();
  readonly #session = randomUUID();
  readonly #contestant: Contestant;
  readonly #shell: Dealer;
  readonly #control: Dealer;
  readonly #iopub: Subscriber;
  readonly #replies = new Map<string, (message: Message) => void>();
  readonly #published = new Map<string, (message: Message) => void>();

  constructor(contestant: Contestant) {
    this.#contestant = contestant;
    const file = join(this.#folder, "connection.json");
    const ip = join(this.#folder, "s");
    const connection = { transport: "ipc", ip, ...PORTS, signature_scheme: "hmac-sha256", key: this.#key };
    writeFileSync(file, JSON.stringify(connection));
    const [program, ...args] = contestant.command(file);
    this.process = spawn(program, args, {
      stdio: ["ignore", "ignore", "pipe"],
      cwd: this.#folder,
      // What is measured is no part of anybody's history.
      env: { ...process.env, JUPYTER_DATA_DIR: this.#folder, IPYTHONDIR: this.#folder },
    });
    let said = "";
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-2000);
    });
    this.process.once("exit", (code) => {
      if (code && !this.#closed) console.error(`${contestant.name} ended with ${code}: ${said}`);
    });
    const options = { linger: 0, reconnectInterval: 5 };
    this.#shell = new Dealer(options);
    this.#control = new Dealer(options);
    this.#iopub = new Subscriber(options);
    this.#iopub.subscribe();
    for (const [socket, port] of [
      [this.#shell, 1],
      [this.#iopub, 2],
      [this.#control, 4],
    ] as const)
      socket.connect(`ipc://${ip}${contestant.joint}${port}`);
    void this.#listen(this.#shell, this.#replies);
    void this.#listen(this.#control, this.#replies);
    void this.#listen(this.#iopub, this.#published);
  }
  /** Waits until the kernel answers and its publications are heard. */
  async ready(): Promise<void> {
    await this.request("kernel_info_request", {});
    // A subscription takes a moment to arrive; until then publications are lost.
    for (let heard = false; !heard; )
      await Promise.race([
        this.execute("1").then(() => {
          heard = true;
        }),
        sleep(200),
      ]);
  }

  async request(type: string, content: Json, channel: "shell" | "control" = "shell"): Promise<Json> {
    const id = randomUUID();
    const answered = this.#awaitReply(id, type);
    await this.#send(channel, id, type, content, {});
    return (await answered).content;
  }

  async execute(code: string, metadata: Json = {}): Promise<Executed> {
    const id = randomUUID();
    const outputs: Message[] = [];
    const replied = this.#awaitReply(id, "execute_request");
    const idle = new Promise<void>((resolve, reject) => {
      setTimeout(reject, PATIENCE_MS, this.#silence("idle")).unref();
      this.#published.set(id, (message) => {
        if (message.type !== "status") outputs.push(message);
        else if (message.content.execution_state === "idle") resolve();
      });
    });
    const content = {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: false,
    };
    const start = performance.now();
    await this.#send("shell", id, "execute_request", content, metadata);
    const [reply] = await Promise.all([replied, idle]);
    const ms = performance.now() - start;
    this.#published.delete(id);
    return { reply: reply.content, ms, outputs };
  }

  async interrupt(): Promise<void> {
    if (this.#contestant.interrupt === "signal") this.process.kill("SIGINT");
    else await this.request("interrupt_request", {}, "control");
  }

  async close(): Promise<void> {
    this.#closed = true;
    const gone = new Promise((resolve) => this.process.once("exit", resolve));
    if (this.process.exitCode === null) {
      await this.#send("control", randomUUID(), "shutdown_request", { restart: false }, {});
      await Promise.race([gone, sleep(2000)]);
      this.process.kill("SIGKILL");
    }
    for (const socket of [this.#shell, this.#control, this.#iopub]) socket.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #silence(what: string): Error {
    return new Error(`${this.#contestant.name} did not answer ${what} within ${PATIENCE_MS / 1000} s`);
  }

  #awaitReply(id: string, type: string): Promise<Message> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#silence(type)), PATIENCE_MS);
      this.#replies.set(id, (message) => {
        clearTimeout(timer);
        this.#replies.delete(id);
        resolve(message);
      });
    });
  }

  async #send(
    channel: "shell" | "control",
    id: string,
    type: string,
    content: Json,
    metadata: Json,
  ): Promise<void> {
    const date = new Date().toISOString();
    const header = {
      msg_id: id,
      msg_type: type,
      username: "bench",
      session: this.#session,
      date,
      version: "5.3",
    };
    const parts = [header, {}, metadata, content].map((part) => JSON.stringify(part));
    const hmac = createHmac("sha256", this.#key);
    for (const part of parts) hmac.update(part);
    const socket = channel === "shell" ? this.#shell : this.#control;
    await socket.send(["<IDS|MSG>", hmac.digest("hex"), ...parts]);
  }

  async #listen(
    socket: Dealer | Subscriber,
    waiting: Map<string, (message: Message) => void>,
  ): Promise<void> {
    for await (const frames of socket) {
      const at = frames.findIndex((frame) => frame.toString("latin1", 0, 9) === "<IDS|MSG>");
      if (at < 0) continue;
      const [header, parent, , content] = frames.slice(at + 2, at + 6);
      const parentId = (JSON.parse(String(parent)) as { msg_id?: string }).msg_id ?? "";
      const receive = waiting.get(parentId);
      if (!receive) continue;
      const { msg_type: type } = JSON.parse(String(header)) as { msg_type: string };
      receive({
        type,
        parent: parentId,
        content: JSON.parse(String(content)) as Json,
        bytes: content!.length,
      });
    }
  }
}
