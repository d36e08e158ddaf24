// The kernel's process from its start to its end: signals, shutdown and restart, what is left for the next one.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../session/harness.ts";
import { KernelProcess } from "./process.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-kernel-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("SIGINT interrupts the cell, and the kernel goes on", async () => {
  const kernel = new KernelProcess(folder);
  expect((await kernel.ask("execute_request", { code: "const kept = 5" })).status).toBe("ok");
  const id = await kernel.send("shell", "execute_request", { code: "for (;;);" });
  await until(() =>
    kernel.published.some(
      ({ header, parent }) => header.msg_type === "execute_input" && parent.msg_id === id,
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 150));
  kernel.process.kill("SIGINT");
  expect(await kernel.reply("shell", id)).toMatchObject({ status: "error", ename: "Interrupt" });
  const { user_expressions } = await kernel.ask("execute_request", {
    code: "",
    user_expressions: { kept: "kept" },
  });
  expect(user_expressions).toMatchObject({ kept: { status: "ok", data: { "text/plain": "5" } } });
  await kernel.close();
}, 120_000);

test("a shutdown lets cells clean up, answers and ends; the next kernel finds what was run", async () => {
  const told = join(folder, "told");
  const code = `const marked = "session one"; void invalidation.then(() => require("fs").writeFileSync(${JSON.stringify(told)}, ""));`;
  const first = new KernelProcess(folder);
  expect((await first.ask("execute_request", { code })).status).toBe("ok");
  const ended = new Promise((resolve) => first.process.once("exit", resolve));
  expect(await first.ask("shutdown_request", { restart: true }, "control")).toEqual({
    status: "ok",
    restart: true,
  });
  expect(existsSync(told)).toBe(true);
  expect(await ended).toBe(0);
  await first.close();

  const second = new KernelProcess(folder);
  const search = { hist_access_type: "search", pattern: "const marked*", output: true, raw: true };
  expect((await second.ask("history_request", search)).history).toEqual([[1, 1, [code, null]]]);
  expect((await second.ask("execute_request", { code: "typeof marked" })).execution_count).toBe(1);
  const range = { hist_access_type: "range", session: 0, start: 1, stop: 2, output: false, raw: true };
  expect((await second.ask("history_request", range)).history).toEqual([[2, 1, "typeof marked"]]);
  await second.close();
}, 120_000);

test("SIGTERM ends it, and what the cells have started", async () => {
  const kernel = new KernelProcess(folder);
  const code = "void require('child_process').spawn('sleep', ['60']); process.pid";
  expect((await kernel.ask("execute_request", { code })).status).toBe("ok");
  const ended = new Promise((resolve) => kernel.process.once("exit", resolve));
  kernel.process.kill("SIGTERM");
  await ended;
  expect(kernel.said).toBe("");
  await kernel.close();
}, 120_000);
