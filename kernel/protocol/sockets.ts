// The five zeromq sockets of a kernel. Messages enter and leave here and nowhere else.
// Relies on wire.ts for what a message is. Drops what is not signed with the connection's key; where the connection has
// CurveZMQ's keys, all five are encrypted, and who does not know the public one is not connected at all.

import { isUtf8 } from "node:buffer";
import { capability, Reply, Router, XPublisher } from "zeromq";
import type { Connection } from "./connection.ts";
import { type Header, type Json, MAX_PART_BYTES, type Message, Wire } from "./wire.ts";

/** The first byte of what a publisher hears of its subscribers. */
const SUBSCRIBED = 1;
const MAX_TOPIC_BYTES = 256;

export type RequestChannel = "shell" | "control" | "stdin";

export interface Sockets {
  /** Calls the receiver for each checked message, until the sockets are closed. */
  listen(channel: RequestChannel, receive: (message: Message) => void): void;
  /** Sends to the one who asked; returns the header, to match an answer by. */
  reply(channel: RequestChannel, to: Message, type: string, content: Json, metadata?: Json): Header;
  publish(
    parent: Message | undefined,
    type: string,
    content: Json,
    metadata?: Json,
    buffers?: readonly Buffer[],
  ): void;
  /** Sends what is queued, then closes. */
  close(): Promise<void>;
}

export async function openSockets(connection: Connection): Promise<Sockets> {
  const wire = new Wire(connection.key);
  const curve = curveOptions(connection);
  const limits = { maxMessageSize: MAX_PART_BYTES, linger: 1000, ...curve };
  // Handover: a client that reconnects with its old identity takes its place, as in ipykernel.
  const routers = {
    shell: new Router({ ...limits, handover: true }),
    control: new Router({ ...limits, handover: true }),
    stdin: new Router({ ...limits, handover: true }),
  };
  // It tells of each subscription, and takes nothing much longer than one, or than CurveZMQ's greetings.
  const iopub = new XPublisher({
    linger: 1000,
    sendHighWaterMark: 10_000,
    maxMessageSize: 4096,
    verbosity: "allSubs",
    ...curve,
  });
  const heartbeat = new Reply(limits);
  await Promise.all([
    ...(["shell", "control", "stdin"] as const).map((c) => routers[c].bind(connection.address(c))),
    iopub.bind(connection.address("iopub")),
    heartbeat.bind(connection.address("hb")),
  ]);
  void echo(heartbeat);
  void welcome();

  // One send at a time a socket: zeromq refuses a second before the first is queued.
  const senders = new Map(
    [iopub, ...Object.values(routers)].map((socket) => [socket, sender(socket)] as const),
  );
  const message = (to: Message | undefined, type: string, content: Json, metadata: Json): Message => ({
    identities: [],
    header: wire.header(type),
    parent: to?.header ?? {},
    metadata,
    content,
    buffers: [],
  });

  /** From when on it hears everything, a new subscriber cannot know otherwise. */
  async function welcome(): Promise<void> {
    for await (const [event] of iopub) {
      const topic = event?.subarray(1);
      if (event?.[0] !== SUBSCRIBED || !topic || topic.length > MAX_TOPIC_BYTES || !isUtf8(topic)) continue;
      const welcomed = message(undefined, "iopub_welcome", { subscription: topic.toString() }, {});
      senders.get(iopub)!.send(wire.encode({ ...welcomed, identities: topic.length ? [topic] : [] }));
    }
  }

  return {
    listen(channel, receive) {
      void (async () => {
        for await (const frames of routers[channel]) {
          const decoded = wire.decode(frames);
          if (decoded) receive(decoded);
        }
      })();
    },
    reply(channel, to, type, content, metadata = {}) {
      const reply = { ...message(to, type, content, metadata), identities: to.identities };
      senders.get(routers[channel])!.send(wire.encode(reply));
      return reply.header;
    },
    publish(parent, type, content, metadata = {}, buffers = []) {
      const published = {
        ...message(parent, type, content, metadata),
        identities: [Buffer.from(type)],
        buffers,
      };
      senders.get(iopub)!.send(wire.encode(published));
    },
    async close() {
      await Promise.race([
        Promise.all([...senders.values()].map((s) => s.idle())),
        new Promise((resolve) => setTimeout(resolve, 1000).unref()),
      ]);
      for (const socket of [...senders.keys(), heartbeat]) socket.close();
    },
  };
}

/** @throws where encryption is asked for, and this zeromq has none: nothing goes out in the clear instead */
function curveOptions({ curve }: Connection): object {
  if (!curve) return {};
  if (!capability.curve)
    throw new Error("The connection file asks for CurveZMQ, which this build of zeromq does not have.");
  return { curveServer: true, curvePublicKey: curve.publicKey, curveSecretKey: curve.secretKey };
}

async function echo(heartbeat: Reply): Promise<void> {
  for await (const frames of heartbeat) await heartbeat.send(frames);
}

function sender(socket: Router | XPublisher): { send(frames: Buffer[]): void; idle(): Promise<void> } {
  const queue: Buffer[][] = [];
  let working: Promise<void> | undefined;
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      try {
        await socket.send(next);
      } catch {
        // A peer that has gone away is no reason to stop talking to the others.
      }
    }
    working = undefined;
  };
  return {
    send(frames) {
      queue.push(frames);
      working ??= work();
    },
    idle: async () => working,
  };
}
