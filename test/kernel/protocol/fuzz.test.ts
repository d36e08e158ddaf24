// A real kernel, its child process included, under messages that mean nothing: wrong types in every field, broken frames, wrong
// signatures, a client without the key, giants. It answers or ignores them, runs nothing that was not signed, and goes on.
// Five seconds of random messages, and sixty with LENSOR_FULL=1.

import { createHmac } from "node:crypto";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Dealer } from "zeromq";
import { type Json, Wire } from "../../../kernel/protocol/wire.ts";
import { KEY, KernelProcess } from "./process.ts";

const SECONDS = process.env.LENSOR_FULL ? 60 : 5;

const wire = new Wire(KEY);
let kernel: KernelProcess;

beforeAll(async () => {
  kernel = new KernelProcess();
  await expectAlive();
}, 120_000);

afterAll(() => kernel.close());

async function expectAlive(): Promise<void> {
  expect(await kernel.ask("kernel_info_request")).toMatchObject({ status: "ok", implementation: "lensor" });
  expect(kernel.process.exitCode, kernel.said).toBe(null);
}

/** Four parts, as texts that need not be JSON, and their signature. */
function sign(parts: readonly string[], key = KEY): Buffer[] {
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return ["<IDS|MSG>", hmac.digest("hex"), ...parts].map((part) => Buffer.from(part));
}

// Text that runs as code may say nothing harmful: it comes from this list alone.
const code = fc.constantFrom(
  "",
  " ",
  "1 + 1",
  "let a = 5",
  "throw 1",
  "%who",
  "%no",
  "a?",
  "await 1",
  "}{",
  "`",
  "😀",
);
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1e308, -0.5, 2 ** 53, "", [], {}, [[]], { toString: 1, valueOf: 2 }),
  fc.constant(JSON.parse('{"__proto__": {"a": 1}, "constructor": 5, "length": -1}')),
  fc.constant(Array(2000).fill(0)),
  fc.jsonValue({ maxDepth: 2 }),
);

const REQUESTS: Record<string, Json> = {
  execute_request: {
    code: "1",
    silent: false,
    store_history: true,
    user_expressions: { a: "1" },
    allow_stdin: true,
    stop_on_error: false,
  },
  complete_request: { code: "le", cursor_pos: 1 },
  inspect_request: { code: "a", cursor_pos: 1, detail_level: 0 },
  is_complete_request: { code: "(" },
  history_request: {
    output: true,
    raw: true,
    hist_access_type: "search",
    session: 0,
    start: 0,
    stop: 5,
    n: 3,
    pattern: "*",
    unique: true,
  },
  comm_info_request: { target_name: "x" },
  comm_open: {
    comm_id: "c",
    target_name: "lensor.notebook",
    data: { order: ["a"], sources: { a: "1" }, mode: "auto" },
  },
  comm_msg: { comm_id: "c", data: { type: "document", order: ["a"], sources: { a: "2" } } },
  comm_close: { comm_id: "c", data: {} },
  kernel_info_request: {},
  interrupt_request: {},
  debug_request: { command: "attach" },
  input_reply: { value: "x" },
};

/** An object with some of its fields, here or further in, changed into something odd, left out, or added. */
function mutated(object: Json): fc.Arbitrary<Json> {
  const keys = Object.keys(object);
  const one = fc.record({ key: fc.constantFrom(...keys, "more"), value: odd, code, drop: fc.boolean() });
  return fc.array(one, { maxLength: 3 }).map((changes) => {
    const result = { ...object };
    for (const { key, value, code, drop } of changes)
      if (key === "code") {
        if (drop && typeof value !== "string") result.code = value;
        else result.code = code;
      } else if (key === "user_expressions") result[key] = drop ? { b: value === "x" ? 1 : code } : value;
      else if (drop) delete result[key];
      else if (isRecord(result[key]) && isRecord(value)) result[key] = { ...result[key], ...value };
      else result[key] = value;
    // A text that ended up as an expression would run.
    if (
      !isRecord(result.user_expressions) ||
      Object.values(result.user_expressions).some((v) => typeof v === "string")
    )
      if (result.user_expressions !== undefined && typeof result.user_expressions === "object")
        result.user_expressions = { a: "1" };
    return result;
  });
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const HEADER: Json = { ...wire.header("x"), subshell_id: null };
const METADATA: Json = { cellId: "a", cellOrder: ["a"], deletedCells: ["b"] };

const message = fc.constantFrom(...Object.keys(REQUESTS)).chain((type) =>
  fc.record({
    channel: fc.constantFrom("shell", "shell", "control", "stdin") as fc.Arbitrary<
      "shell" | "control" | "stdin"
    >,
    type: fc.oneof({ weight: 9, arbitrary: fc.constant<unknown>(type) }, { weight: 1, arbitrary: odd }),
    header: fc.oneof(
      { weight: 5, arbitrary: fc.constant(HEADER) },
      { weight: 1, arbitrary: mutated(HEADER) },
    ),
    metadata: fc.oneof(fc.constant({}), mutated(METADATA)),
    parent: fc.oneof(fc.constant({}), mutated(HEADER)),
    content: mutated(REQUESTS[type]!),
    broken: fc.constantFrom("no", "no", "no", "no", "key", "json", "frames", "more", "identity"),
    at: fc.nat(5),
    bytes: fc.uint8Array({ maxLength: 40 }),
  }),
);

test(
  `random messages for ${SECONDS} s`,
  async () => {
    let count = 0;
    const survives = fc.asyncProperty(
      fc.array(message, { minLength: 5, maxLength: 40 }),
      async (messages) => {
        for (const { channel, type, header, metadata, parent, content, broken, at, bytes } of messages) {
          const full = {
            ...header,
            msg_type: type,
            ...("msg_id" in header ? { msg_id: `fuzz-${count}` } : {}),
          };
          const parts = [full, parent, metadata, content].map((part) => JSON.stringify(part));
          if (broken === "json") parts[at % 4] = parts[at % 4]!.slice(0, -1 - (at % 3));
          let frames = sign(parts, broken === "key" ? "another key" : KEY);
          if (broken === "frames") frames = frames.filter((_, i) => i !== at);
          if (broken === "more") frames.push(...Array(at).fill(Buffer.from(bytes)));
          if (broken === "identity") frames.unshift(Buffer.from(bytes));
          await kernel.clients[channel].send(frames);
          count++;
        }
        await expectAlive();
      },
    );
    for (const end = performance.now() + SECONDS * 1000; performance.now() < end; )
      await fc.assert(survives, { numRuns: 10 });
    expect(count).toBeGreaterThanOrEqual(50);
    const { status } = await kernel.ask("execute_request", { code: "%reset\nconst fine = 1" });
    expect(status).toBe("ok");
  },
  SECONDS * 1000 + 120_000,
);

test("who has not the key runs nothing, whatever it signs with", async () => {
  const marker = join(kernel.folder, "PWNED");
  const content = JSON.stringify({ code: `require("fs").writeFileSync(${JSON.stringify(marker)}, "")` });
  const other = new Dealer({ linger: 0 });
  other.connect(`ipc://${join(kernel.folder, "s")}-1`);
  for (const key of ["", "guess", KEY.slice(0, -1)]) {
    const parts = [JSON.stringify(wire.header("execute_request")), "{}", "{}", content];
    await other.send(sign(parts, key));
    await other.send([...sign(parts, key).with(1, Buffer.alloc(0))]);
    await other.send([...sign(parts, key).with(1, Buffer.alloc(64, "0"))]);
    const shutdown = [JSON.stringify(wire.header("shutdown_request")), "{}", "{}", '{"restart":false}'];
    await other.send(sign(shutdown, key));
  }
  await expectAlive();
  await kernel.ask("execute_request", { code: "1" });
  expect(existsSync(marker)).toBe(false);
  other.close();
}, 120_000);

test("bytes that are no ZeroMQ, on every socket, change nothing", async () => {
  const greeting = Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
  const nonsense = [Buffer.alloc(100_000, 0xff), Buffer.from("GET / HTTP/1.1\r\n\r\n"), greeting];
  for (let port = 1; port <= 5; port++)
    for (const bytes of nonsense)
      await new Promise<void>((resolve) => {
        const socket = connect(join(kernel.folder, `s-${port}`), () => socket.end(bytes));
        // One that waits for more of a greeting is left alone.
        socket.setTimeout(100, () => socket.destroy());
        socket
          .on("error", () => {})
          .on("close", () => resolve())
          .resume();
      });
  await expectAlive();
  expect(await kernel.ask("execute_request", { code: "1" })).toMatchObject({ status: "ok" });
}, 120_000);

test("what is too long is dropped, what is long runs", async () => {
  const giant = new Dealer({ linger: 0 });
  giant.connect(`ipc://${join(kernel.folder, "s")}-1`);
  const header = JSON.stringify(wire.header("execute_request"));
  const [delimiter, signature, ...parts] = sign([header, "{}", "{}", '{"code":"1"}']);
  await giant.send([delimiter!, signature!, ...parts, Buffer.alloc(65 * 1024 * 1024)]);
  await expectAlive();
  giant.close();
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  const one = JSON.stringify({ code: "1" });
  await kernel.clients.shell.send(sign([header, deep, "{}", one]));
  await kernel.clients.shell.send(
    sign([JSON.stringify({ ...wire.header("execute_request"), a: 1 }), "{}", deep, one]),
  );
  await kernel.clients.shell.send(sign([`{"b":${deep},${header.slice(1)}`, "{}", "{}", one]));
  await expectAlive();
  const { status } = await kernel.ask("execute_request", { code: `"${"x".repeat(200_000)}".length` });
  expect(status).toBe("ok");
}, 120_000);
