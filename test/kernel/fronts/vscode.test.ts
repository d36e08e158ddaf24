// VS Code's Jupyter extension: the sequences of messages that it sends, replayed in their order to one kernel, and of the answers
// what it relies on. The fixture says where each sequence is from.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installKernelspec } from "../../../kernel/cli/kernelspec.ts";
import type { Json, Message } from "../../../kernel/protocol/wire.ts";
import { until } from "../session/harness.ts";
import { isAlive, treeOf } from "./processes.ts";
import { PATIENCE } from "./tools.ts";
import { found, resultOf, steps, types, VSCode, withId } from "./vscode.ts";

const WIDGET = "application/vnd.jupyter.widget-view+json";

let folder: string;
let code: VSCode;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-vscode-"));
  code = new VSCode(folder);
});
afterAll(async () => {
  await code.kernel.close();
  rmSync(folder, { recursive: true, force: true });
});

test(
  "a kernel that starts says what it is on both channels, and is idle then",
  async () => {
    const list = steps("start");
    await code.knock(list.slice(1, 3));
    const ids = await Promise.all(list.map((step) => code.send(step)));
    const answers = await Promise.all(ids.map((id, i) => code.answer(id, list[i]!)));
    for (const { reply } of answers)
      expect(reply).toMatchObject({
        status: "ok",
        implementation: "lensor",
        protocol_version: expect.stringMatching(/^5\./),
        language_info: { name: "typescript", file_extension: ".ts", mimetype: "text/typescript" },
      });
    expect(code.kernel.published.at(-1)!.content.execution_state).toBe("idle");
  },
  PATIENCE,
);

test(
  "startup commands are seen by the cells, and not counted",
  async () => {
    const [answer] = await code.replay(steps("startup commands"));
    expect(answer!.reply).toMatchObject({ status: "ok", execution_count: 0 });
  },
  PATIENCE,
);

test(
  "cells: busy first and idle last, a count, outputs in their order",
  async () => {
    const [first, second, third, again, below] = await code.replay(steps("cells"));
    for (const [i, answer] of [first!, second!, third!, again!, below!].entries()) {
      const { published, reply } = answer;
      expect(published[0]!.content).toEqual({ execution_state: "busy" });
      expect(published.at(-1)!.content).toEqual({ execution_state: "idle" });
      expect(found(answer, "execute_input")).toMatchObject({ execution_count: i + 1 });
      expect(reply).toMatchObject({ status: "ok", execution_count: i + 1 });
    }
    expect(types(first!)).toEqual([
      "status",
      "execute_input",
      "stream",
      "stream",
      "execute_result",
      "status",
    ]);
    expect(
      first!.published.filter(({ header }) => header.msg_type === "stream").map((m) => m.content),
    ).toEqual([
      { name: "stdout", text: "out\n" },
      { name: "stderr", text: "err\n" },
    ]);
    expect(resultOf(first!)).toBe("42");

    expect(found(second!, "display_data")).toMatchObject({
      data: { "text/plain": "'before'" },
      transient: { display_id: "mine" },
    });
    expect(found(third!, "update_display_data")).toMatchObject({
      data: { "text/plain": "'after'" },
      transient: { display_id: "mine" },
    });
    expect(found(third!, "clear_output")).toEqual({ wait: true });

    // Without the order of the cells, a cell that is run again keeps its place, and nothing follows it by itself.
    expect([resultOf(again!), resultOf(below!)]).toEqual(["10", "11"]);
    const executed = code.kernel.published.filter(({ header }) => header.msg_type === "execute_input");
    expect(executed).toHaveLength(6);
  },
  PATIENCE,
);

test(
  "an error has one message that can be read; what is sent then is run",
  async () => {
    const [thrown, next, unreadable, page] = await code.replay(steps("errors"));
    expect(types(thrown!)).toEqual(["status", "execute_input", "error", "status"]);
    const { ename, evalue, traceback } = found(thrown!, "error");
    expect({ ename, evalue }).toEqual({ ename: "RangeError", evalue: "on purpose" });
    expect(stripVTControlCharacters((traceback as string[]).join("\n"))).toContain("RangeError: on purpose");
    expect(thrown!.reply).toMatchObject({ status: "error", ename, evalue, traceback });
    expect(resultOf(next!)).toBe("20");
    expect(found(unreadable!, "error")).toMatchObject({ ename: "SyntaxError" });
    // What a pager would show becomes the cell's output.
    expect(page!.reply.payload).toMatchObject([
      { data: { "text/plain": expect.stringContaining("parseInt") } },
    ]);
  },
  PATIENCE,
);

test(
  "a question is answered under its own header",
  async () => {
    const [asks, reply] = steps("a question");
    const id = await code.send(asks!);
    const { header, content } = await code.asked(id);
    expect(content).toEqual({ prompt: "Who is there?", password: true });
    await code.send(reply!, header as unknown as Json);
    const answer = await code.answer(id, asks!);
    expect(resultOf(answer)).toBe("3");
  },
  PATIENCE,
);

test(
  "completions have a text, a kind and a range each, and every one that is looked at an answer",
  async () => {
    // The language server takes a moment to start, as when a person types on.
    const first = steps("completion")[0]!;
    const offered = async () => (await code.ask(first)).reply.matches;
    await expect.poll(offered, { timeout: PATIENCE }).toContain("toUpperCase");
    const [members, names, documented, unknown] = await code.replay(steps("completion"));
    const [{ matches, cursor_start, cursor_end, metadata }] = [members!.reply];
    expect(matches).toContain("toUpperCase");
    expect([cursor_start, cursor_end]).toEqual([35, 40]);
    const typed = (metadata as { _jupyter_types_experimental: Json[] })._jupyter_types_experimental;
    expect(typed.map(({ text }) => text)).toEqual(matches);
    for (const item of typed) expect(item).toMatchObject({ start: 35, end: 40, type: expect.any(String) });
    expect(names!.reply.matches).toContain("fromSettings");
    expect(documented!.reply).toMatchObject({
      status: "ok",
      found: true,
      data: { "text/plain": expect.stringContaining("fromSettings") },
    });
    expect(unknown!.reply).toMatchObject({ status: "ok", found: expect.any(Boolean), data: {} });
  },
  PATIENCE,
);

test(
  "a mistake of types comes under its own cell when others have run already, and goes by its display's id",
  async () => {
    const [size, label, between, mended] = steps("mistakes of types");
    await code.ask(size!);
    const { id, reply } = await code.ask(label!);
    expect(reply.status).toBe("ok");
    await code.ask(between!);
    const shown = (type: string) =>
      code.published(id).find(({ header }) => header.msg_type === type)?.content;
    await until(() => shown("display_data") !== undefined, PATIENCE);
    const { data, transient } = shown("display_data") as { data: Json; transient: Json };
    expect(stripVTControlCharacters(String(data["text/plain"]))).toContain("TS2322");
    expect(transient.display_id).toEqual(expect.any(String));
    await code.ask(mended!);
    await until(() => shown("update_display_data") !== undefined, PATIENCE);
    expect(shown("update_display_data")).toMatchObject({ data: { "text/plain": "" }, transient });
  },
  PATIENCE,
);

test(
  "widgets: a model before its view, moved from the page, read by the next cell, and nothing runs by itself",
  async () => {
    const [made, before, moved, after, button, clicked, clicks, info] = steps("widgets");
    const slider = await code.ask(made!);
    const view = (found(slider, "execute_result").data as Json)[WIDGET] as Json;
    expect(view).toMatchObject({ version_major: 2 });
    const id = String(view.model_id);
    const order = slider.published.filter(
      ({ header, content }) => header.msg_type === "execute_result" || content.comm_id === id,
    );
    expect(order.map(({ header }) => header.msg_type)).toEqual(["comm_open", "execute_result"]);
    const opened = order[0] as Message;
    expect(opened.metadata).toMatchObject({ version: expect.stringMatching(/^2\./) });
    expect(opened.content).toMatchObject({
      target_name: "jupyter.widget",
      data: {
        state: {
          _model_module: "@jupyter-widgets/controls",
          _view_name: expect.any(String),
          value: 4,
          max: 9,
        },
        buffer_paths: [],
      },
    });
    // Models that a state refers to are there before it.
    const { layout } = (opened.content.data as { state: { layout: string } }).state;
    const layoutId = layout.replace("IPY_MODEL_", "");
    const ids = slider.published.map(({ content }) => content.comm_id);
    expect(ids.indexOf(layoutId)).toBeGreaterThanOrEqual(0);
    expect(ids.indexOf(layoutId)).toBeLessThan(ids.indexOf(id));

    expect(resultOf(await code.ask(before!))).toBe("400");
    const ran = () =>
      code.kernel.published.filter(({ header }) => header.msg_type === "execute_input").length;
    const count = ran();
    const echo = await code.ask(withId(moved!, id));
    expect(types(echo)).toEqual(["status", "comm_msg", "status"]);
    expect(found(echo, "comm_msg")).toMatchObject({
      comm_id: id,
      data: { method: "echo_update", state: { value: 6 } },
    });
    expect(ran()).toBe(count);
    expect(resultOf(await code.ask(after!))).toBe("600");

    const buttonView = (found(await code.ask(button!), "execute_result").data as Json)[WIDGET] as Json;
    await code.ask(withId(clicked!, String(buttonView.model_id)));
    expect(resultOf(await code.ask(clicks!))).toBe("1");
    const { comms } = (await code.ask(info!)).reply as { comms: Record<string, Json> };
    for (const each of [id, String(buttonView.model_id)])
      expect(comms[each]).toEqual({ target_name: "jupyter.widget" });
  },
  PATIENCE,
);

test(
  "all states of a live kernel come at once, and their comm is closed",
  async () => {
    const [open, request, close] = steps("widgets of a live kernel");
    await code.ask(withId(open!, "control-1"));
    const { data } = found(await code.ask(withId(request!, "control-1")), "comm_msg") as { data: Json };
    expect(data.method).toBe("update_states");
    const states = Object.values(data.states as Record<string, { model_name: string; state: Json }>);
    expect(states.find(({ model_name }) => model_name === "IntSliderModel")?.state.value).toBe(6);
    await code.ask(withId(close!, "control-1"));
  },
  PATIENCE,
);

test(
  "an interrupt is a message, the cell ends with an error, and values stay",
  async () => {
    installKernelspec(join(folder, "spec"));
    const { interrupt_mode } = JSON.parse(readFileSync(join(folder, "spec/kernel.json"), "utf8")) as Json;
    expect(interrupt_mode).toBe("message");
    const [loops, interrupt, next] = steps("an interrupt");
    const id = await code.send(loops!);
    await until(() => code.published(id).some(({ header }) => header.msg_type === "stream"), PATIENCE);
    expect((await code.ask(interrupt!)).reply).toEqual({ status: "ok" });
    expect((await code.answer(id, loops!)).reply).toMatchObject({ status: "error", ename: "Interrupt" });
    expect(resultOf(await code.ask(next!))).toBe("true");
    expect(code.kernel.published.at(-1)!.content.execution_state).toBe("idle");
  },
  PATIENCE,
);

test(
  "a restart ends every process of the kernel, children first, and a new one counts from 1",
  async () => {
    const { process: kernel } = code.kernel;
    const tree = treeOf(kernel.pid!);
    expect(tree.length).toBeGreaterThan(1);
    const ended = new Promise((resolve) => kernel.once("exit", resolve));
    for (const pid of tree.slice(1)) process.kill(pid);
    kernel.kill();
    await ended;
    await until(() => !tree.some(isAlive), PATIENCE);
    await code.kernel.close();

    code = new VSCode(folder);
    await code.knock(steps("start").slice(1, 3));
    const again = await code.ask(steps("cells")[0]!);
    expect(again.reply).toMatchObject({ status: "error", ename: "ReferenceError", execution_count: 1 });
  },
  PATIENCE,
);
