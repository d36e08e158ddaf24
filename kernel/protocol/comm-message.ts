// The messages of comms, checked: an open, a message or a close that can be read. Relies on nothing but the message.
// What it carries is for whoever registered its target to understand.

import type { CommMessage } from "./session.ts";
import type { Json, Message } from "./wire.ts";

const COMM_TYPES = new Map<string, CommMessage["type"]>([
  ["comm_open", "open"],
  ["comm_msg", "msg"],
  ["comm_close", "close"],
]);

/** What a message says of a comm; undefined where it is none, or says nothing that can be read. */
export function commMessage({ header, content, metadata, buffers }: Message): CommMessage | undefined {
  const type = COMM_TYPES.get(header.msg_type);
  const { comm_id: id, target_name: target, data } = content;
  if (!type || typeof id !== "string" || (type === "open" && typeof target !== "string")) return undefined;
  const record = typeof data === "object" && data !== null && !Array.isArray(data) ? (data as Json) : {};
  return {
    type,
    id,
    ...(type === "open" ? { target: target as string } : {}),
    data: record,
    metadata,
    buffers,
  };
}
