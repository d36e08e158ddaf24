// Comms: Jupyter's named two-way channels between a front end and whoever registered their target here.
// Relies on the kernel for sending. Knows no target's meaning; an unknown one is closed at once, so that the front end knows.

import { randomUUID } from "node:crypto";
import type { CommMessage } from "../protocol/session.ts";

type Data = CommMessage["data"];
type Buffers = readonly Buffer[];

/** This side of an open comm. */
export interface Comm {
  readonly id: string;
  send(data: Data, buffers?: Buffers): void;
  close(): void;
}

/** What is done with what the other side says. It may throw: the front end is then told nothing, and nothing else happens. */
export interface CommHandler {
  message(data: Data, buffers: Buffers): void;
  closed?(): void;
}

/** Takes up a comm that a front end opens; undefined refuses it. */
export type CommTarget = (comm: Comm, opening: CommMessage) => CommHandler | undefined;

/** A front end that opens more than this has gone wrong. */
const MOST_COMMS = 10_000;

interface Open {
  readonly target: string;
  readonly handler: CommHandler;
}

export class Comms {
  readonly #targets = new Map<string, CommTarget>();
  readonly #open = new Map<string, Open>();
  /** Where messages to the front ends go. */
  send: (message: CommMessage) => void = () => {};

  register(target: string, take: CommTarget): void {
    this.#targets.set(target, take);
  }

  /** Opens a comm from this side. */
  open(
    target: string,
    handler: CommHandler,
    { id = randomUUID() as string, data = {}, metadata = {}, buffers = [] as Buffers } = {},
  ): Comm {
    this.#open.set(id, { target, handler });
    this.send({ type: "open", id, target, data, metadata, buffers });
    return this.#side(id);
  }

  /** A message from a front end. Of a comm that is not there any more it is answered with a close. */
  receive(message: CommMessage): void {
    const open = this.#open.get(message.id);
    if (message.type === "open") this.#opened(message);
    else if (message.type === "close") {
      this.#open.delete(message.id);
      open?.handler.closed?.();
    } else if (open) open.handler.message(message.data, message.buffers);
    else this.#refuse(message.id);
  }

  /** Open comms, their ids and targets: all, or those of one target. */
  info(target?: string): Record<string, { target_name: string }> {
    const open = [...this.#open].filter(([, comm]) => target === undefined || comm.target === target);
    return Object.fromEntries(open.map(([id, comm]) => [id, { target_name: comm.target }]));
  }

  #opened(opening: CommMessage): void {
    const { id, target = "" } = opening;
    const room = !this.#open.has(id) && this.#open.size < MOST_COMMS;
    const handler = room ? this.#targets.get(target)?.(this.#side(id), opening) : undefined;
    if (handler) this.#open.set(id, { target, handler });
    else this.#refuse(id);
  }

  #refuse(id: string): void {
    this.send({ type: "close", id, data: {}, metadata: {}, buffers: [] });
  }

  #side(id: string): Comm {
    return {
      id,
      send: (data, buffers = []) => this.send({ type: "msg", id, data, metadata: {}, buffers }),
      close: () => {
        if (this.#open.delete(id)) this.#refuse(id);
      },
    };
  }
}
