// A real Jupyter server drives the kernel through @jupyterlab/services, as JupyterLab does.

import { type Kernel, KernelManager, type KernelMessage, ServerConnection } from "@jupyterlab/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needModule, type Server, startServer } from "./jupyter.ts";

interface Ran {
  readonly reply: KernelMessage.IExecuteReplyMsg["content"];
  readonly messages: readonly KernelMessage.IIOPubMessage[];
  readonly stdout: string;
  readonly result: unknown;
}

describe("a Jupyter server", () => {
  let server: Server;
  let manager: KernelManager;
  let kernel: Kernel.IKernelConnection;

  beforeAll(async () => {
    needModule("jupyter_server");
    server = await startServer();
    const serverSettings = ServerConnection.makeSettings({
      baseUrl: server.url,
      wsUrl: server.url.replace("http", "ws"),
      token: server.token,
    });
    manager = new KernelManager({ serverSettings });
    kernel = await manager.startNew({ name: "lensor" });
    await kernel.info;
  }, 60_000);

  afterAll(async () => {
    await kernel?.shutdown();
    manager?.dispose();
    await server?.stop();
  }, 30_000);

  function start(code: string): { done: Promise<Ran>; messages: KernelMessage.IIOPubMessage[] } {
    const messages: KernelMessage.IIOPubMessage[] = [];
    const future = kernel.requestExecute({ code, stop_on_error: true });
    future.onIOPub = (message) => {
      messages.push(message);
    };
    const done = future.done.then((reply) => ({
      reply: reply.content,
      messages,
      stdout: messages
        .map((m) => (m.header.msg_type === "stream" ? (m.content as { text: string }).text : ""))
        .join(""),
      result: messages
        .filter((m) => m.header.msg_type === "execute_result")
        .map((m) => (m.content as { data: Record<string, unknown> }).data["text/plain"])[0],
    }));
    return { done, messages };
  }
  const run = (code: string): Promise<Ran> => start(code).done;

  /** Runs, waits until the cell says that it has begun, then interrupts. */
  async function interrupted(code: string): Promise<Ran & { readonly ms: number }> {
    const { done, messages } = start(`console.log("begun");\n${code}`);
    while (!messages.some((m) => m.header.msg_type === "stream")) await new Promise((r) => setTimeout(r, 10));
    const asked = performance.now();
    await kernel.interrupt();
    return { ...(await done), ms: performance.now() - asked };
  }

  test("names itself", async () => {
    const info = await kernel.info;
    expect(info).toMatchObject({
      implementation: "lensor",
      language_info: { name: "typescript", file_extension: ".ts" },
    });
  });

  test("runs cells that see each other", async () => {
    await run('const greet = (name: string): string => "Hello, " + name;');
    const ran = await run('console.log("out"); greet("Jupyter")');
    expect(ran.reply).toMatchObject({ status: "ok", execution_count: 2 });
    expect([ran.stdout, ran.result]).toEqual(["out\n", "'Hello, Jupyter'"]);
  });

  test("an error has one message, the reply has the same", async () => {
    const ran = await run("throw new TypeError('on purpose')");
    expect(ran.reply).toMatchObject({ status: "error", ename: "TypeError", evalue: "on purpose" });
    expect(ran.messages.filter((m) => m.header.msg_type === "error").length).toBe(1);
  });

  test.each([
    ["a synchronous loop", "while (true) {}"],
    ["an await that never settles", "await new Promise(() => {});"],
    ["a loop after an await", "await new Promise((r) => setTimeout(r, 5)); for (;;) {}"],
  ])("an interrupt stops %s and keeps the names", async (_, code) => {
    const ran = await interrupted(code);
    expect(ran.reply).toMatchObject({ status: "error", ename: "Interrupt" });
    expect(ran.ms).toBeLessThan(1000);
    expect((await run("greet('still')")).result).toBe("'Hello, still'");
  });

  test("completes and inspects, also while a cell computes", async () => {
    await run("const zebraCount = 3;");
    const busy = start("console.log('begun'); while (true) {}");
    while (!busy.messages.some((m) => m.header.msg_type === "stream"))
      await new Promise((r) => setTimeout(r, 10));
    const { content } = await kernel.requestComplete({ code: "zebraCo", cursor_pos: 7 });
    expect(content).toMatchObject({ status: "ok", matches: ["zebraCount"] });
    const inspected = await kernel.requestInspect({ code: "zebraCount", cursor_pos: 3, detail_level: 0 });
    expect(inspected.content).toMatchObject({ found: true });
    await kernel.interrupt();
    await busy.done;
  });

  test("a crash is a clear error, and the same kernel goes on afresh", async () => {
    const ran = await run("process.abort()");
    expect(ran.reply).toMatchObject({ status: "error", ename: "SessionLost" });
    expect((await run("typeof greet")).result).toBe("'undefined'");
  });

  test("an error aborts the cells queued behind it", async () => {
    const first = start("await new Promise((r) => setTimeout(r, 200)); throw new Error('stop here')");
    const second = start("1");
    expect((await first.done).reply.status).toBe("error");
    // A front end shows the count of a reply beside the cell, and this one did not run.
    expect((await second.done).reply).toEqual({ status: "aborted" });
  });

  test("also those that were sent with it and are still under way", async () => {
    const codes = ["const bad = ;", ...Array.from({ length: 80 }, (_, i) => `${i}`)];
    const replies = codes.map((code) => kernel.requestExecute({ code, stop_on_error: true }).done);
    const statuses = (await Promise.all(replies)).map(({ content }) => content.status);
    expect(statuses).toEqual(["error", ...Array.from({ length: 80 }, () => "aborted")]);
    expect((await run("1 + 1")).result).toBe("2");
  });

  test("an input is a widget whose value travels both ways, also while a cell computes", async () => {
    const opened: KernelMessage.ICommOpenMsg[] = [];
    const comms = new Map<string, Kernel.IComm>();
    const echoes: { parent: string; value: unknown }[] = [];
    kernel.registerCommTarget("jupyter.widget", (comm, message) => {
      opened.push(message);
      comms.set(comm.commId, comm);
      comm.onMsg = ({ parent_header, content }) => {
        const { state } = content.data as { state: { value: unknown } };
        echoes.push({ parent: (parent_header as { msg_id: string }).msg_id, value: state.value });
      };
    });
    const ran = await run(
      'import { input } from "lensor"; const ratio = input.slider("ratio", { min: 2, max: 100, value: 10 });',
    );
    expect(ran.reply.status).toBe("ok");
    const view = ran.messages.find((m) => m.header.msg_type === "execute_result")?.content as {
      data: Record<string, { model_id: string }>;
    };
    const id = view.data["application/vnd.jupyter.widget-view+json"]!.model_id;
    expect(opened.at(-1)?.content).toMatchObject({ comm_id: id, data: { state: { value: 10 } } });

    const busy = start(
      "console.log('begun'); const end = performance.now() + 500; while (performance.now() < end);",
    );
    while (!busy.messages.some((m) => m.header.msg_type === "stream"))
      await new Promise((r) => setTimeout(r, 10));
    const sent = comms.get(id)!.send({ method: "update", state: { value: 42 }, buffer_paths: [] });
    await sent.done;
    while (echoes.length === 0) await new Promise((r) => setTimeout(r, 5));
    // Pages wait for the echo of their own message, by its id.
    expect(echoes).toEqual([{ parent: sent.msg.header.msg_id, value: 42 }]);
    await busy.done;
    expect((await run("ratio.value")).result).toBe("42");
    await run("ratio.value = 7");
    expect(echoes.at(-1)?.value).toBe(7);
    expect((await kernel.requestCommInfo({ target_name: "jupyter.widget" })).content).toMatchObject({
      comms: { [id]: { target_name: "jupyter.widget" } },
    });
  });

  test("asks the person, also for a password; a question that was interrupted takes no answer from the next", async () => {
    const ask = (code: string, answers: string[]) => {
      const future = kernel.requestExecute({ code, allow_stdin: true });
      const asked: unknown[] = [];
      future.onStdin = ({ header, content }) => {
        asked.push(content);
        const value = answers.shift();
        if (value !== undefined) kernel.sendInputReply({ status: "ok", value }, header as never);
      };
      return { asked, done: future.done };
    };
    const unanswered = ask("await prompt('nobody?')", []);
    while (unanswered.asked.length === 0) await new Promise((r) => setTimeout(r, 10));
    await kernel.interrupt();
    expect((await unanswered.done).content).toMatchObject({ status: "error", ename: "Interrupt" });
    const code = "const who = await prompt('who?'), secret = await prompt('secret?', { password: true });";
    const answered = ask(code, ["Kit", "hush"]);
    expect((await answered.done).content.status).toBe("ok");
    expect(answered.asked).toEqual([
      { prompt: "who?", password: false },
      { prompt: "secret?", password: true },
    ]);
    expect((await run("[who, secret]")).result).toBe("[ 'Kit', 'hush' ]");
  });

  test("what it ran is in its history", async () => {
    await run("const remembered = 'for later';");
    const { content } = await kernel.requestHistory({
      hist_access_type: "search",
      pattern: "const remembered*",
      output: false,
      raw: true,
      n: 5,
      unique: true,
      session: 0,
      start: 0,
      stop: 0,
    } as KernelMessage.IHistoryRequestMsg["content"]);
    expect(content).toMatchObject({
      status: "ok",
      history: [[1, expect.any(Number), "const remembered = 'for later';"]],
    });
  });

  test("restarts with no names left", async () => {
    await run("const before = 1;");
    await kernel.restart();
    const ran = await run("typeof before");
    expect(ran.result).toBe("'undefined'");
    expect(ran.reply).toMatchObject({ status: "ok", execution_count: 1 });
  }, 20_000);
});
