// What the code asks the person: one question at a time a client, in order, each answered by the client it went to.
// Relies on the stdin channel to carry both. Never takes an answer for a question that it was not given to.

import type { Message } from "./wire.ts";

interface Question {
  readonly parent: Message;
  readonly prompt: string;
  readonly password: boolean;
  resolve(text: string): void;
  reject(error: Error): void;
  /** The id of the input_request, once it was sent. */
  id?: string;
}

/** Sends an input_request to the one whose request is being run, and tells its id. */
type Send = (to: Message, content: { prompt: string; password: boolean }) => string;

export class Questions {
  readonly #send: Send;
  /** By the client's session. The first of each list has been sent. */
  readonly #waiting = new Map<string, Question[]>();

  constructor(send: Send) {
    this.#send = send;
  }

  ask(parent: Message, prompt: string, password: boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const { session } = parent.header;
      const waiting = this.#waiting.get(session) ?? [];
      this.#waiting.set(session, waiting);
      waiting.push({ parent, prompt, password, resolve, reject });
      if (waiting.length === 1) this.#next(session);
    });
  }

  /** An input_reply. Front ends that say which question they answer are taken at their word; older ones do not. */
  answer(message: Message): void {
    const { session } = message.header;
    const waiting = this.#waiting.get(session);
    const question = waiting?.[0];
    const { value } = message.content;
    const answered = message.parent.msg_id;
    if (!question || typeof value !== "string" || (answered && answered !== question.id)) return;
    waiting!.shift();
    question.resolve(value);
    this.#next(session);
  }

  /** A request is over: what it still asks, nobody waits for. */
  drop(parent: Message): void {
    const { session, msg_id } = parent.header;
    const waiting = this.#waiting.get(session);
    if (!waiting) return;
    const mine = (question: Question): boolean => question.parent.header.msg_id === msg_id;
    for (const question of waiting.filter(mine))
      question.reject(new Error("The cell ended before this question was answered."));
    const left = waiting.filter((question) => !mine(question));
    this.#waiting.set(session, left);
    if (left[0]?.id === undefined) this.#next(session);
  }

  #next(session: string): void {
    const question = this.#waiting.get(session)?.[0];
    if (!question) this.#waiting.delete(session);
    else question.id = this.#send(question.parent, { prompt: question.prompt, password: question.password });
  }
}
