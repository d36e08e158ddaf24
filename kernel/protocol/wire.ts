// Jupyter messages on the wire: frames in, a checked message out, and back.
// Relies on the connection's key for HMAC-SHA256. Never trusts a frame before its signature is checked, nor takes the same
// message twice, nor one of its own: who can listen could send them back without knowing the key.
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
/** A header goes back with every message that it causes. */
const MAX_HEADER_BYTES = 64 * 1024;
/** As many messages are known again. */
const REMEMBERED = 20_000;

export class Wire {
  readonly #key: string;
  readonly #session = randomUUID();
  /** Signatures of what has come, oldest first. */
  readonly #seen = new Set<string>();

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

  /** The message, or undefined for anything malformed, oversized, signed with another key, or sent once more. */
  decode(frames: readonly Buffer[]): Message | undefined {
    const at = frames.findIndex((frame) => frame.equals(DELIMITER));
    if (at < 0 || frames.length < at + 6) return undefined;
    if (frames.some((frame) => frame.length > MAX_PART_BYTES)) return undefined;
    const parts = frames.slice(at + 2, at + 6);
    if (parts[0]!.length > MAX_HEADER_BYTES) return undefined;
    const expected = Buffer.from(this.#sign(parts));
    const given = frames[at + 1]!;
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    try {
      const [header, parent, metadata, content] = parts.map((part) => asObject(JSON.parse(part.toString())));
      const readable = readHeader(header!);
      if (!readable || readable.session === this.#session || this.#isKnown(given)) return undefined;
      return {
        identities: frames.slice(0, at),
        header: readable,
        parent: readHeader(parent!) ?? {},
        metadata: metadata!,
        content: content!,
        buffers: frames.slice(at + 6),
      };
    } catch {
      return undefined;
    }
  }

  #isKnown(signature: Buffer): boolean {
    if (!this.#key) return false;
    const text = signature.toString("latin1");
    if (this.#seen.has(text)) return true;
    this.#seen.add(text);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    return false;
  }

  /** An empty key means that the connection asks for no signatures. */
  #sign(parts: readonly Buffer[]): string {
    if (!this.#key) return "";
    const hmac = createHmac("sha256", this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }
}

/** What is flat of it, with text in the usual fields; undefined where a message cannot be answered by it. */
function readHeader(header: Json): Header | undefined {
  if (typeof header.msg_type !== "string" || typeof header.msg_id !== "string") return undefined;
  const flat = Object.entries(header).filter(([, value]) => typeof value !== "object");
  const known = { session: "", username: "", date: "", version: "", ...Object.fromEntries(flat) };
  const { session, username, date, version } = known;
  if ([session, username, date, version].some((value) => typeof value !== "string")) return undefined;
  return known as unknown as Header;
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
