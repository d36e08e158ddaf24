// Jupyter messages on the wire: frames in, a checked message out, and back.
// Relies on the connection's key for HMAC-SHA256. Never trusts a frame before its signature is checked.
// https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol

import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

export const PROTOCOL_VERSION = "5.3";

export interface Header {
  readonly msg_id: string;
  readonly msg_type: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly version: string;
}

export type Json = Record<string, unknown>;

export interface Message {
  /** Routing prefix of the sender, given back with the reply. */
  readonly identities: readonly Buffer[];
  readonly header: Header;
  readonly parent: Header | Record<string, never>;
  readonly metadata: Json;
  readonly content: Json;
  readonly buffers: readonly Buffer[];
}

const DELIMITER = Buffer.from("<IDS|MSG>");
/** A cell of this size is a mistake or an attack; bulk data belongs in files. */
export const MAX_PART_BYTES = 64 * 1024 * 1024;

export class Wire {
  readonly #key: string;
  readonly #session = randomUUID();

  constructor(key: string) {
    this.#key = key;
  }

  header(type: string): Header {
    return {
      msg_id: randomUUID(),
      msg_type: type,
      session: this.#session,
      username: "kernel",
      date: new Date().toISOString(),
      version: PROTOCOL_VERSION,
    };
  }

  encode(message: Message): Buffer[] {
    const parts = [message.header, message.parent, message.metadata, message.content].map((part) =>
      Buffer.from(wellFormed(JSON.stringify(part))),
    );
    const signature = Buffer.from(this.#sign(parts));
    return [...message.identities, DELIMITER, signature, ...parts, ...message.buffers];
  }

  /** The message, or undefined for anything malformed, oversized or signed with another key. */
  decode(frames: readonly Buffer[]): Message | undefined {
    const at = frames.findIndex((frame) => frame.equals(DELIMITER));
    if (at < 0 || frames.length < at + 6) return undefined;
    if (frames.some((frame) => frame.length > MAX_PART_BYTES)) return undefined;
    const parts = frames.slice(at + 2, at + 6);
    const expected = Buffer.from(this.#sign(parts));
    const given = frames[at + 1]!;
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    try {
      const [header, parent, metadata, content] = parts.map((part) => asObject(JSON.parse(part.toString())));
      if (typeof header!.msg_type !== "string" || typeof header!.msg_id !== "string") return undefined;
      return {
        identities: frames.slice(0, at),
        header: header as unknown as Header,
        parent: parent as unknown as Header,
        metadata: metadata!,
        content: content!,
        buffers: frames.slice(at + 6),
      };
    } catch {
      return undefined;
    }
  }

  /** An empty key means that the connection asks for no signatures. */
  #sign(parts: readonly Buffer[]): string {
    if (!this.#key) return "";
    const hmac = createHmac("sha256", this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }
}

/** Half a surrogate pair is legal JSON and breaks readers that keep text as UTF-8: it becomes the replacement mark. */
function wellFormed(json: string): string {
  // JSON.stringify escapes surrogates only where they stand alone.
  return json.includes("\\ud")
    ? json.replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, "$1\\ufffd")
    : json;
}

function asObject(value: unknown): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TypeError("not an object");
  return value as Json;
}
