// VS Code's end of a kernel: the sockets of its own process, messages as @jupyterlab/services makes them, each answer checked as
// that checks it, a request done when its reply and its idle status are there. Relies on a kernel in a process of its own.
// Decides nothing of what is sent: that is the fixture.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { KernelMessage } from "@jupyterlab/services";
import { validateMessage } from "@jupyterlab/services/lib/kernel/validate.js";
import { type Json, type Message, Wire } from "../../../kernel/protocol/wire.ts";
import { KEY, KernelProcess } from "../protocol/process.ts";
import { until } from "../session/harness.ts";
import { PATIENCE } from "./tools.ts";

export interface Step {
  readonly channel: "shell" | "control" | "stdin";
  readonly type: string;
  readonly content: Json;
  readonly metadata: Json;
}

export interface Answer {
  readonly id: string;
  /** What was published for it, in order. */
  readonly published: readonly Message[];
  readonly reply: Json;
}

const file = new URL("../../fixtures/requests/vscode.json", import.meta.url);
const { sequences } = JSON.parse(readFileSync(file, "utf8")) as {
  sequences: Record<string, { steps: Step[] }>;
};

/** A sequence of the fixture. */
export const steps = (name: string): readonly Step[] => sequences[name]!.steps;
/** A step with an id that only this kernel knows. */
export const withId = (step: Step, id: string): Step => ({
  ...step,
  content: { ...step.content, comm_id: id },
});

export const types = ({ published }: Answer) => published.map(({ header }) => header.msg_type);
export const found = (answer: Answer, type: string): Json =>
  answer.published.find(({ header }) => header.msg_type === type)?.content ?? {};
export const resultOf = (answer: Answer) =>
  (found(answer, "execute_result").data as Json | undefined)?.["text/plain"];

type Channel = Step["channel"];

export class VSCode {
  readonly kernel: KernelProcess;
  readonly #replies: { readonly channel: Channel; readonly message: Message }[] = [];
  readonly #reader = new Wire(KEY);
  readonly #client = { session: randomUUID() as string, username: randomUUID() as string };
  #checked = 0;

  constructor(folder: string) {
    this.kernel = new KernelProcess(folder);
    for (const channel of ["shell", "control", "stdin"] as const) void this.#listen(channel);
  }

  async #listen(channel: Channel): Promise<void> {
    for await (const frames of this.kernel.clients[channel]) {
      const message = this.#reader.decode(frames);
      if (message) this.#replies.push({ channel, message });
    }
  }

  /** Sends, and does not wait. Returns the message's id. */
  async send({ channel, type, content, metadata }: Step, parent: Json = {}): Promise<string> {
    const message = KernelMessage.createMessage({
      msgType: type as "execute_request",
      channel: channel as "shell",
      ...this.#client,
      content: content as never,
      metadata: metadata as never,
    });
    const { header } = message;
    const parts = { header, parent, metadata, content } as unknown as Message;
    await this.kernel.clients[channel].send(
      this.kernel.wire.encode({ ...parts, identities: [], buffers: [] }),
    );
    return header.msg_id;
  }

  /** Sends again and again until something is published: a subscription takes a moment to reach a kernel that has just started. */
  async knock(steps: readonly Step[]): Promise<void> {
    for (const end = performance.now() + PATIENCE; this.kernel.published.length === 0; ) {
      if (performance.now() > end) throw new Error("The kernel has published nothing.");
      for (const step of steps) await this.send(step);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** Sends, and waits for the idle status, and for the reply to a request. */
  async ask(step: Step): Promise<Answer> {
    return this.answer(await this.send(step), step);
  }

  /** One after the other, as cells are sent. */
  async replay(list: readonly Step[]): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (const step of list) answers.push(await this.ask(step));
    return answers;
  }

  async answer(id: string, { channel, type }: Step): Promise<Answer> {
    const isRequest = type.endsWith("_request");
    const isIdle = ({ header, content }: Message) =>
      header.msg_type === "status" && content.execution_state === "idle";
    await until(
      () => this.published(id).some(isIdle) && (!isRequest || this.reply(id) !== undefined),
      PATIENCE,
    );
    this.#checkAll();
    const reply = this.reply(id);
    if (reply && reply.channel !== channel)
      throw new Error(`The reply to ${type} came on ${reply.channel} and not on ${channel}.`);
    return { id, published: this.published(id), reply: reply?.message.content ?? {} };
  }

  published(id: string): readonly Message[] {
    return this.kernel.published.filter(({ parent }) => parent.msg_id === id);
  }

  reply(id: string) {
    return this.#replies.find(({ channel, message }) => channel !== "stdin" && message.parent.msg_id === id);
  }

  /** A question of the kernel's, once it has come. */
  async asked(id: string): Promise<Message> {
    const find = () =>
      this.#replies.find(({ channel, message }) => channel === "stdin" && message.parent.msg_id === id);
    await until(() => find() !== undefined, PATIENCE);
    return find()!.message;
  }

  /** A message that does not pass is dropped by VS Code, with a line in a log that nobody reads. */
  #checkAll(): void {
    const messages = this.kernel.published.map((message) => ({ channel: "iopub", message }));
    for (const { channel, message } of [...messages.slice(this.#checked), ...this.#replies]) {
      const { header, parent, metadata, content } = message;
      validateMessage({ channel, header, parent_header: parent, metadata, content } as never);
    }
    this.#checked = messages.length;
  }
}
