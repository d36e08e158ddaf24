// A whole kernel over real sockets, with a session of the test's own: order, status, aborts, comms, input, shutdown.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Dealer, Request, Subscriber } from "zeromq";
import { CHANNELS, parseConnection } from "../../../kernel/protocol/connection.ts";
import { Kernel } from "../../../kernel/protocol/kernel.ts";
import type { Executed, ExecuteRequest, Frontend, Session } from "../../../kernel/protocol/session.ts";
import { openSockets, type Sockets } from "../../../kernel/protocol/sockets.ts";
import { type Json, type Message, Wire } from "../../../kernel/protocol/wire.ts";
import { Comms } from "../../../kernel/session/comms.ts";

/** A session that is told what to do by its code: `fail`, `ask`, `show`, `wait` until released. */
class ScriptedSession implements Session {
  readonly info = { implementation: "t", implementationVersion: "0", banner: "b", language: { name: "t" } };
  readonly comms = new Comms();
  readonly requests: ExecuteRequest[] = [];
  interrupts = 0;
  closed = false;
  release: () => void = () => {};
  later: () => Promise<string> = async () => "";

  async execute(request: ExecuteRequest, frontend: Frontend): Promise<Executed> {
    this.requests.push(request);
    const failure = { ename: "E", evalue: "v", traceback: ["t"] };
    if (request.code === "fail") return { failure };
    if (request.code === "throw") throw new TypeError("the session itself");
    if (request.value)
      frontend.output({ type: "execute_result", data: { "text/plain": `<${request.code}>` } });
    if (request.code === "page") frontend.output({ type: "page", data: { "text/plain": "long" } });
    if (request.code === "ask twice") {
      const asked = ["first?", "second?"].map((prompt) => frontend.input(prompt, false));
      frontend.output({ type: "stream", name: "stdout", text: (await Promise.all(asked)).join(" ") });
    }
    if (request.code === "ask later")
      this.later = () => frontend.input("much later?", false).catch((error: Error) => error.message);
    if (request.code === "ask and go") void frontend.input("late?", false).catch(() => {});
    if (request.code === "fail alone") return { failure, contained: true };
    if (request.code === "superseded") return { contained: true };
    if (request.code === "ask") {
      const text = await frontend.input("q?", true).catch((error: Error) => error.message);
      frontend.output({ type: "stream", name: "stdout", text });
    }
    if (request.code === "show") {
      frontend.output({ type: "display_data", data: { "text/plain": "d" }, id: "i" });
      frontend.output({ type: "update_display_data", data: { "text/plain": "u" }, id: "i" });
      frontend.output({ type: "execute_result", data: { "text/plain": "r" } });
      frontend.output({ type: "clear_output", wait: true });
    }
    if (request.code === "wait") await new Promise<void>((resolve) => (this.release = resolve));
    return {};
  }
  aborted(cell: string) {
    return cell === "blames" ? { ename: "Cancelled", evalue: "its fault", traceback: [] } : undefined;
  }
  async complete(_: string, cursor: number) {
    return { matches: ["zebra"], start: cursor - 1, end: cursor, types: ["instance"] };
  }
  async inspect() {
    return { found: true, data: { "text/plain": "facts" } };
  }
  async isComplete() {
    return { status: "incomplete" as const, indent: "  " };
  }
  interrupt(): void {
    this.interrupts++;
    this.release();
  }
  async close(): Promise<void> {
    this.closed = true;
    this.release();
  }
}

const wire = new Wire("key");
let sockets: Sockets;
let session: ScriptedSession;
let kernel: Kernel;
let folder: string;
let file: Record<string, unknown>;
let clients: { shell: Dealer; control: Dealer; stdin: Dealer; iopub: Subscriber };
let published: Message[];

beforeEach(async () => {
  // Local socket files: a port that was free a moment ago may be somebody else's by now.
  folder = mkdtempSync(join(tmpdir(), "lensor-kernel-"));
  file = { ip: join(folder, "socket"), transport: "ipc", key: "key" };
  for (const [i, channel] of CHANNELS.entries()) file[`${channel}_port`] = i + 1;
  const connection = parseConnection(file);
  session = new ScriptedSession();
  sockets = await openSockets(connection);
  kernel = new Kernel(sockets, session);
  const routingId = "client";
  clients = {
    shell: new Dealer({ routingId }),
    control: new Dealer({ routingId }),
    stdin: new Dealer({ routingId }),
    iopub: new Subscriber(),
  };
  for (const channel of ["shell", "control", "stdin", "iopub"] as const)
    clients[channel].connect(connection.address(channel));
  clients.iopub.subscribe("");
  published = [];
  void (async () => {
    for await (const frames of clients.iopub) published.push(wire.decode(frames)!);
  })();
  // The subscription takes a moment to reach the publisher.
  await until(async () => {
    await ask("kernel_info_request");
    return published.some(({ content }) => content.execution_state === "idle");
  });
  published.length = 0;
});

afterEach(async () => {
  for (const client of Object.values(clients)) client.close();
  await sockets.close();
  rmSync(folder, { recursive: true, force: true });
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 3000; !(await holds()); await new Promise((r) => setTimeout(r, 10)))
    if (Date.now() > end) throw new Error("It did not happen in time.");
}

async function send(
  type: string,
  content: Json = {},
  channel: "shell" | "control" = "shell",
  metadata: Json = {},
) {
  const header = wire.header(type);
  await clients[channel].send(
    wire.encode({ identities: [], header, parent: {}, metadata, content, buffers: [] }),
  );
  return header;
}

async function receive(channel: "shell" | "control" | "stdin" = "shell"): Promise<Message> {
  return wire.decode(await clients[channel].receive())!;
}

async function ask(
  type: string,
  content: Json = {},
  channel: "shell" | "control" = "shell",
): Promise<Message> {
  await send(type, content, channel);
  return receive(channel);
}

/** What was published for a request, as short words. */
async function story(id: string): Promise<string[]> {
  const mine = (): Message[] => published.filter(({ parent }) => parent.msg_id === id);
  await until(() => mine().some(({ content }) => content.execution_state === "idle"));
  return mine().map(({ header, content }) => String(content.execution_state ?? header.msg_type));
}

test("an execution is told from busy to idle", async () => {
  const { msg_id } = await send("execute_request", { code: "show" });
  const reply = await receive();
  expect(reply.content).toMatchObject({ status: "ok", execution_count: 1, user_expressions: {} });
  expect(reply.parent).toMatchObject({ msg_id });
  expect(await story(msg_id)).toEqual([
    "busy",
    "execute_input",
    "display_data",
    "update_display_data",
    "execute_result",
    "clear_output",
    "idle",
  ]);
  const shown = published.find(({ header }) => header.msg_type === "display_data");
  expect(shown?.content).toEqual({
    data: { "text/plain": "d" },
    metadata: {},
    transient: { display_id: "i" },
  });
});

test("silent shows nothing and counts nothing; store_history false does not count", async () => {
  const { msg_id } = await send("execute_request", { code: "show", silent: true });
  expect((await receive()).content.execution_count).toBe(0);
  expect(await story(msg_id)).toEqual(["busy", "idle"]);
  expect((await ask("execute_request", { code: "x", store_history: false })).content.execution_count).toBe(0);
  expect((await ask("execute_request", { code: "x" })).content.execution_count).toBe(1);
});

test("empty code is answered without the session", async () => {
  expect((await ask("execute_request", { code: " \n" })).content.status).toBe("ok");
  expect(session.requests).toEqual([]);
});

test("cell ids, order and deletions reach the session", async () => {
  await send("execute_request", { code: "x" }, "shell", {
    cellId: "a",
    deletedCells: ["b"],
    cellOrder: ["a", "c"],
  });
  await receive();
  expect(session.requests[0]).toMatchObject({ cell: "a", deleted: ["b"], order: ["a", "c"] });
});

test("an error aborts what was queued behind it, unless the request says otherwise", async () => {
  await send("execute_request", { code: "wait" });
  await send("execute_request", { code: "fail" });
  await send("execute_request", { code: "x" });
  await until(() => session.requests.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  session.release();
  const statuses = [await receive(), await receive(), await receive()].map(({ content }) => content.status);
  expect(statuses).toEqual(["ok", "error", "aborted"]);
  await send("execute_request", { code: "fail", stop_on_error: false });
  const { msg_id: last } = await send("execute_request", { code: "x" });
  expect([await receive(), await receive()].map(({ content }) => content.status)).toEqual(["error", "ok"]);
  await story(last);
  const errors = published.filter(({ header }) => header.msg_type === "error");
  expect(errors.map(({ content }) => content)).toEqual(
    Array(2).fill({ ename: "E", evalue: "v", traceback: ["t"] }),
  );
});

test("a failure that is contained aborts nothing; a run that was superseded is answered as aborted, without an error", async () => {
  await send("execute_request", { code: "wait" });
  for (const code of ["fail alone", "superseded"]) await send("execute_request", { code });
  const { msg_id: last } = await send("execute_request", { code: "x" });
  await until(() => session.requests.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  session.release();
  const replies = [await receive(), await receive(), await receive(), await receive()];
  expect(replies.map(({ content }) => content.status)).toEqual(["ok", "error", "aborted", "ok"]);
  // What is published comes on a socket of its own, and may come later.
  await story(last);
  expect(published.filter(({ header }) => header.msg_type === "error")).toHaveLength(1);
});

test("a cell that was aborted says whose fault it is, where the session knows", async () => {
  await send("execute_request", { code: "wait" });
  await send("execute_request", { code: "fail" });
  const { msg_id } = await send("execute_request", { code: "x" }, "shell", { cellId: "blames" });
  const { msg_id: other } = await send("execute_request", { code: "x" }, "shell", { cellId: "other" });
  await until(() => session.requests.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  session.release();
  expect(await story(msg_id)).toEqual(["busy", "error", "idle"]);
  expect(await story(other)).toEqual(["busy", "idle"]);
  expect(session.requests).toHaveLength(2);
});

test("an emptied cell reaches the session, an empty line of a console does not", async () => {
  await ask("execute_request", { code: " " });
  expect(session.requests).toHaveLength(0);
  await send("execute_request", { code: " " }, "shell", { cellId: "a" });
  await receive();
  expect(session.requests.map(({ cell }) => cell)).toEqual(["a"]);
});

test("questions are answered while a cell computes, and the cell stays busy", async () => {
  const { msg_id } = await send("execute_request", { code: "wait" });
  await until(() => session.requests.length === 1);
  const { content } = await ask("complete_request", { code: "😀z", cursor_pos: 2 });
  expect(content).toMatchObject({ status: "ok", matches: ["zebra"], cursor_start: 1, cursor_end: 2 });
  expect((await ask("inspect_request", { code: "z", cursor_pos: 0 })).content).toMatchObject({
    status: "ok",
    found: true,
    data: { "text/plain": "facts" },
  });
  expect((await ask("is_complete_request", { code: "(" })).content).toEqual({
    status: "incomplete",
    indent: "  ",
  });
  await until(() => published.at(-1)?.parent.msg_id === msg_id);
  expect(published.at(-1)?.content.execution_state).toBe("busy");
  session.release();
  await receive();
});

test("interrupt comes on the control channel", async () => {
  await send("execute_request", { code: "wait" });
  await until(() => session.requests.length === 1);
  expect((await ask("interrupt_request", {}, "control")).header.msg_type).toBe("interrupt_reply");
  expect(session.interrupts).toBe(1);
  expect((await receive()).content.status).toBe("ok");
});

test("input goes to the stdin channel of the one who may answer", async () => {
  const { msg_id } = await send("execute_request", { code: "ask", allow_stdin: true });
  const question = await receive("stdin");
  expect(question.header.msg_type).toBe("input_request");
  expect(question.content).toEqual({ prompt: "q?", password: true });
  const header = { ...wire.header("input_reply"), session: question.parent.session! };
  await clients.stdin.send(
    wire.encode({
      identities: [],
      header,
      parent: question.header,
      metadata: {},
      content: { value: "answer" },
      buffers: [],
    }),
  );
  await receive();
  await story(msg_id);
  expect(published.find(({ header }) => header.msg_type === "stream")?.content.text).toBe("answer");
});

async function answerInput(question: Message, value: unknown, parent: Message["parent"] = question.header) {
  const header = { ...wire.header("input_reply"), session: question.parent.session! };
  await clients.stdin.send(
    wire.encode({ identities: [], header, parent, metadata: {}, content: { value }, buffers: [] }),
  );
}

test("two questions at once are asked one after the other; an answer to another question, or that is no text, is none", async () => {
  const { msg_id } = await send("execute_request", { code: "ask twice", allow_stdin: true });
  const first = await receive("stdin");
  expect(first.content.prompt).toBe("first?");
  await answerInput(first, { toString: 1 });
  await answerInput(first, "stray", { ...first.header, msg_id: "another" });
  await answerInput(first, "one", {});
  const second = await receive("stdin");
  expect(second.content.prompt).toBe("second?");
  await answerInput(second, "two");
  await receive();
  await story(msg_id);
  expect(published.find(({ header }) => header.msg_type === "stream")?.content.text).toBe("one two");
});

test("a cell that has ended asks nobody", async () => {
  await ask("execute_request", { code: "ask later", allow_stdin: true });
  await story((await send("kernel_info_request")).msg_id);
  expect(await session.later()).toMatch(/This cell has ended/);
});

test("what a cell that has ended still asked is forgotten", async () => {
  await send("execute_request", { code: "ask and go", allow_stdin: true });
  const late = await receive("stdin");
  await receive();
  await answerInput(late, "too late");
  const { msg_id } = await send("execute_request", { code: "ask", allow_stdin: true });
  await answerInput(await receive("stdin"), "in time");
  await receive();
  await story(msg_id);
  expect(published.find(({ header }) => header.msg_type === "stream")?.content.text).toBe("in time");
});

test("user_expressions are evaluated when the code has run well, each with its value or its own error", async () => {
  const user_expressions = { a: "x", b: "fail" };
  const { content } = await ask("execute_request", { code: "show", user_expressions });
  expect(content.user_expressions).toEqual({
    a: { status: "ok", data: { "text/plain": "<x>" }, metadata: {} },
    b: { status: "error", ename: "E", evalue: "v", traceback: ["t"] },
  });
  expect(session.requests.map(({ code, silent }) => [code, silent])).toEqual([
    ["show", false],
    ["x", true],
    ["fail", true],
  ]);
  const failed = await ask("execute_request", { code: "fail", user_expressions });
  expect(failed.content.user_expressions).toEqual({});
});

test("what goes to a pager comes with the reply", async () => {
  const { content } = await ask("execute_request", { code: "page" });
  expect(content.payload).toEqual([{ source: "page", data: { "text/plain": "long" }, start: 0 }]);
});

test.each([
  ["execute_request", { code: 5 }, /execute_request: "code" should be a string, and is 5/],
  ["execute_request", { code: { toString: 1 } }, /"code" should be a string, and is an object/],
  ["execute_request", {}, /"code" should be a string, and is missing/],
  ["execute_request", { code: "x", silent: "yes" }, /"silent" should be true or false, and is "yes"/],
  ["execute_request", { code: "x", user_expressions: { a: 1 } }, /"user_expressions" should be an object of/],
  ["complete_request", { code: "x", cursor_pos: "1" }, /"cursor_pos" should be a whole number, and is "1"/],
  ["complete_request", { code: "x", cursor_pos: -1 }, /"cursor_pos" should not be negative/],
  ["inspect_request", { code: [] }, /"code" should be a string, and is a list/],
  ["is_complete_request", {}, /"code" should be a string, and is missing/],
  ["history_request", { hist_access_type: "tail", n: 1.5 }, /"n" should be a whole number, and is 1.5/],
  ["comm_info_request", { target_name: 1 }, /"target_name" should be a string, and is 1/],
])("%s with %j is refused by name, and nothing runs", async (type, content, message) => {
  const reply = await ask(type, content);
  expect(reply.content).toMatchObject({ status: "error", ename: "BadRequest", traceback: [] });
  expect(reply.content.evalue).toMatch(message);
  expect(session.requests).toEqual([]);
  expect((await ask("kernel_info_request")).content.status).toBe("ok");
});

test("message types that every object has are unknown like any other", async () => {
  for (const type of ["constructor", "toString", "__proto__", "hasOwnProperty_request"]) {
    const { msg_id } = await send(type);
    expect(await story(msg_id)).toEqual(["busy", "idle"]);
  }
});

test("a session that fails itself fails the cell, not the kernel", async () => {
  const { content } = await ask("execute_request", { code: "throw" });
  expect(content).toMatchObject({ status: "error", ename: "TypeError", evalue: "the session itself" });
  expect((await ask("execute_request", { code: "x" })).content.status).toBe("ok");
});

test("input where the front end cannot ask is refused", async () => {
  const { msg_id } = await send("execute_request", { code: "ask" });
  await receive();
  await story(msg_id);
  expect(published.find(({ header }) => header.msg_type === "stream")?.content.text).toMatch(
    /does not support input/,
  );
});

test("who subscribes is told when it hears everything, by the topic it asked for", async () => {
  for (const topic of ["", "status"]) {
    const late = new Subscriber();
    late.connect(parseConnection(file).address("iopub"));
    late.subscribe(topic);
    const { header, parent, content } = new Wire("key").decode(await late.receive())!;
    expect(header.msg_type).toBe("iopub_welcome");
    expect([parent, content]).toEqual([{}, { subscription: topic }]);
    late.close();
  }
});

test("a comm to an unknown target is closed; there are none to list", async () => {
  const { msg_id } = await send("comm_open", { comm_id: "c", target_name: "x", data: {} });
  expect(await story(msg_id)).toEqual(["busy", "comm_close", "idle"]);
  const { msg_id: second } = await send("comm_msg", { comm_id: "c", data: {} });
  expect(await story(second)).toEqual(["busy", "comm_close", "idle"]);
  expect((await ask("comm_info_request")).content).toEqual({ status: "ok", comms: {} });
});

test("an unknown request is left unanswered, and the kernel lives", async () => {
  const { msg_id } = await send("nonsense_request");
  expect(await story(msg_id)).toEqual(["busy", "idle"]);
  expect((await ask("kernel_info_request")).content).toMatchObject({ status: "ok", protocol_version: "5.3" });
});

test("a badly signed request is dropped, and the kernel lives", async () => {
  const forged = new Wire("guess");
  const header = forged.header("execute_request");
  await clients.shell.send(
    forged.encode({ identities: [], header, parent: {}, metadata: {}, content: { code: "x" }, buffers: [] }),
  );
  await clients.shell.send(["garbage"]);
  expect((await ask("kernel_info_request")).content.status).toBe("ok");
  expect(session.requests).toEqual([]);
});

test("the heartbeat echoes", async () => {
  const heart = new Request();
  heart.connect(parseConnection(file).address("hb"));
  await heart.send("beat");
  expect(String(await heart.receive())).toBe("beat");
  heart.close();
});

test("shutdown closes the session, answers, and says whether a restart follows", async () => {
  const { content } = await ask("shutdown_request", { restart: true }, "control");
  expect(content).toEqual({ status: "ok", restart: true });
  expect(session.closed).toBe(true);
  expect(await kernel.ended).toBe(true);
});

test("history remembers what was run", async () => {
  await ask("execute_request", { code: "one" });
  const { content } = await ask("history_request", {
    hist_access_type: "tail",
    n: 1,
    output: false,
    raw: true,
  });
  expect(content.history).toEqual([[0, 1, "one"]]);
});
