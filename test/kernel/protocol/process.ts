// A kernel as Jupyter starts it: a process of its own with a connection file, and a client that speaks to its sockets.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dealer, Subscriber } from "zeromq";
import { CHANNELS, type Channel, parseConnection } from "../../../kernel/protocol/connection.ts";
import { type Json, type Message, Wire } from "../../../kernel/protocol/wire.ts";
import { packageRoot } from "../../../kernel/session/root.ts";

export const KEY = "the key of this connection";

export class KernelProcess {
  readonly folder: string;
  readonly process: ChildProcess;
  readonly wire = new Wire(KEY);
  /** tslab answers under its client's own session, from which a Wire that sends takes nothing. */
  readonly #reader = new Wire(KEY);
  readonly clients = {} as Record<"shell" | "control" | "stdin", Dealer>;
  /** What the kernel has published, as it comes. */
  readonly published: Message[] = [];
  /** What the process itself has said. */
  said = "";
  readonly #iopub = new Subscriber({ linger: 0 });
  readonly #ownFolder: boolean;

  /**
   * @param folder Where it runs and keeps its history; by default one of its own.
   * @param other Another kernel than this checkout's: what Node runs, with the connection file after its last word.
   */
  constructor(folder?: string, other?: readonly string[]) {
    this.#ownFolder = folder === undefined;
    this.folder = folder ?? mkdtempSync(join(tmpdir(), "lensor-process-"));
    const file: Record<string, unknown> = { ip: join(this.folder, "s"), transport: "ipc", key: KEY };
    for (const [i, channel] of CHANNELS.entries()) file[`${channel}_port`] = i + 1;
    const path = join(this.folder, "connection.json");
    writeFileSync(path, JSON.stringify(file));
    const command = other ?? [join(packageRoot(), "kernel/cli/lensor.mjs"), "kernel", ""];
    this.process = spawn(process.execPath, [...command.slice(0, -1), command.at(-1) + path], {
      cwd: this.folder,
      env: { ...process.env, JUPYTER_DATA_DIR: this.folder },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.said += text;
    });
    // tslab names local sockets as it names ports.
    const address = (channel: Channel): string =>
      parseConnection(file)
        .address(channel)
        .replace(/-(?=\d$)/, other ? ":" : "-");
    for (const channel of ["shell", "control", "stdin"] as const) {
      this.clients[channel] = new Dealer({ linger: 0, routingId: "client" });
      this.clients[channel].connect(address(channel));
    }
    this.#iopub.connect(address("iopub"));
    this.#iopub.subscribe("");
    void this.#listen();
  }

  async #listen(): Promise<void> {
    for await (const frames of this.#iopub) {
      const message = this.#reader.decode(frames);
      if (message) this.published.push(message);
    }
  }

  async send(channel: "shell" | "control", type: string, content: Json = {}): Promise<string> {
    const header = this.wire.header(type);
    const message = { identities: [], header, parent: {}, metadata: {}, content, buffers: [] };
    await this.clients[channel].send(this.wire.encode(message));
    return header.msg_id;
  }

  /** The content of a request's reply, whatever else is answered before it. */
  async reply(channel: "shell" | "control", id: string): Promise<Json> {
    for (;;) {
      const message = this.#reader.decode(await this.clients[channel].receive());
      if (!message) throw new Error("The kernel has sent something that is no message.");
      if (message.parent.msg_id === id) return message.content;
    }
  }

  async ask(type: string, content: Json = {}, channel: "shell" | "control" = "shell"): Promise<Json> {
    return this.reply(channel, await this.send(channel, type, content));
  }

  async close(): Promise<void> {
    for (const client of Object.values(this.clients)) client.close();
    this.#iopub.close();
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = new Promise((resolve) => this.process.once("exit", resolve));
      this.process.kill();
      await ended;
    }
    if (this.#ownFolder) rmSync(this.folder, { recursive: true, force: true });
  }
}
