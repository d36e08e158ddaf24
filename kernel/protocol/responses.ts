// Requests that are a question and its answer: of the kernel, of code, of what was run, of comms.
// Relies on the session for the language. Changes nothing, and never waits for a cell.

import { BadRequest, flag, text, whole } from "./fields.ts";
import type { History } from "./history.ts";
import { toCodePoints, toUnits } from "./offsets.ts";
import type { Session } from "./session.ts";
import { type Json, PROTOCOL_VERSION } from "./wire.ts";

type Response = (content: Json, session: Session, history: History) => Json | Promise<Json>;

/** By message type: the content of the reply. They throw what is wrong with a request. */
export const responses: ReadonlyMap<string, Response> = new Map(
  Object.entries({
    kernel_info_request: (_, { info }) => ({
      protocol_version: PROTOCOL_VERSION,
      implementation: info.implementation,
      implementation_version: info.implementationVersion,
      language_info: info.language,
      banner: info.banner,
      debugger: false,
      help_links: [],
      supported_features: [],
    }),
    async complete_request(content, session) {
      const code = text(content, "code");
      const cursor = toUnits(code, cursorOf(content, code.length));
      const { matches, start, end, types } = await session.complete(code, cursor);
      const cursor_start = toCodePoints(code, start);
      const cursor_end = toCodePoints(code, end);
      const typed = matches.map((match, i) => ({
        text: match,
        type: types[i],
        start: cursor_start,
        end: cursor_end,
      }));
      return { matches, cursor_start, cursor_end, metadata: { _jupyter_types_experimental: typed } };
    },
    async inspect_request(content, session) {
      const code = text(content, "code");
      const detail = whole(content, "detail_level", 0) > 0;
      const { found, data } = await session.inspect(code, toUnits(code, cursorOf(content, 0)), detail);
      return { found, data, metadata: {} };
    },
    async is_complete_request(content, session) {
      const { status, indent } = await session.isComplete(text(content, "code"));
      return status === "incomplete" ? { status, indent } : { status };
    },
    async history_request(content, _, history) {
      const withOutput = flag(content, "output", false);
      const entries = await history.find(content);
      return { history: withOutput ? entries.map(([s, n, code]) => [s, n, [code, null]]) : entries };
    },
    comm_info_request: (content, { comms }) => ({
      comms: comms.info(content.target_name == null ? undefined : text(content, "target_name")),
    }),
  } satisfies Record<string, Response>),
);

function cursorOf(content: Json, absent: number): number {
  const cursor = whole(content, "cursor_pos", absent);
  if (cursor < 0) throw new BadRequest(`"cursor_pos" should not be negative, and is ${cursor}.`);
  return cursor;
}
