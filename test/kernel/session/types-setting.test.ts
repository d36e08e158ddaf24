// What mistakes of types do, set while cells run: by the page, over the channel that has the mode too, and what the session makes
// of it. The environment variable is the default.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Output } from "../../../kernel/protocol/session.ts";
import { requestOf } from "../../../kernel/session/notebook-requests.ts";
import { type OpenSession, openSession } from "../../../kernel/session/session.ts";
import { FrontEnd } from "../frontend.ts";

/** The server's first answer takes a second, and on a machine that is busy otherwise many. */
const WAIT = { timeout: 60_000 };
const PATIENCE = 120_000;

describe("a page's setting", () => {
  let page: FrontEnd;
  beforeAll(async () => {
    page = await FrontEnd.open();
    page.insert(0, "const wrong: number = 'x'; wrong", "a");
  });
  afterAll(() => page.close());

  const shown = async () => {
    await page.run("a");
    return page.shown.get("a");
  };

  test(
    "comes with the opening",
    async () => {
      page.connect("auto", "block");
      await expect.poll(shown, WAIT).toMatch(/^TypeScript: .*not assignable.*type errors are set to "block"/);
    },
    PATIENCE,
  );

  test(
    "changes with the next message, and one that cannot be read changes nothing",
    async () => {
      page.say({ type: "types", types: "show" });
      expect(await shown()).toBe("'x'");
      for (const types of [5, "never", ["block"], { block: true }]) page.say({ type: "types", types });
      expect(await shown()).toBe("'x'");
      page.say({ type: "types", types: "block" });
      expect(await shown()).toMatch(/^TypeScript:/);
    },
    PATIENCE,
  );

  test(
    "taken back, the kernel's own default holds, as it does for a page that says nothing",
    async () => {
      page.say({ type: "types" });
      expect(await shown()).toBe("'x'");
      page.say({ type: "types", types: "block" });
      expect(await shown()).toMatch(/^TypeScript:/);
      page.connect("auto");
      expect(await shown()).toBe("'x'");
    },
    PATIENCE,
  );
});

test("what a page may say of it", () => {
  expect(requestOf({ type: "types", types: "off" })).toEqual({ type: "types", types: "off" });
  expect(requestOf({ type: "types" })).toEqual({ type: "types", types: undefined });
  expect(requestOf({ type: "types", types: null })).toEqual({ type: "types", types: undefined });
  expect(requestOf({ type: "types", types: "Show" })).toBeUndefined();
});

describe("in the session", () => {
  const folder = mkdtempSync(join(tmpdir(), "lensor-setting-"));
  let session: OpenSession;
  beforeAll(() => {
    session = openSession({ cwd: folder, env: { ...process.env, LENSOR_TYPES: "off" } });
  });
  afterAll(async () => {
    await session.close();
    rmSync(folder, { recursive: true, force: true });
  });

  let count = 0;
  async function run(cell: string, code: string) {
    const outputs: Output[] = [];
    const request = { code, cell, silent: false, attended: true, count: ++count };
    const { failure } = await session.execute(request, {
      output: (output) => void outputs.push(output),
      input: async () => "",
    });
    return { outputs, failure };
  }
  const textOf = (output: Output | undefined) =>
    output && "data" in output ? String(output.data["text/plain"]) : "";

  test(
    "switched on, it knows the cells that ran before; switched off, what it showed goes, and the server",
    async () => {
      await run("size", "const size = 1");
      expect(session.types.mode).toBe("off");
      expect(session.types.services()).toBeUndefined();

      session.types.set("show");
      const { outputs } = await run("use", "const text: string = size");
      await vi.waitFor(() => expect(textOf(outputs[0])).toContain("TS2322"), WAIT);
      const { pid } = session.types;
      expect(pid).toBeGreaterThan(0);

      session.types.set(undefined);
      expect(outputs.slice(1)).toEqual([
        { type: "update_display_data", id: (outputs[0] as { id: string }).id, data: { "text/plain": "" } },
      ]);
      expect(session.types.pid).toBeUndefined();
      await vi.waitFor(() => expect(() => process.kill(pid!, 0)).toThrow(), WAIT);
      expect((await run("use", "const text: string = size")).outputs).toEqual([]);

      session.types.set("show");
      const again = await run("use", "const text: string = size");
      await vi.waitFor(() => expect(textOf(again.outputs[0])).toContain("TS2322"), WAIT);
    },
    PATIENCE,
  );

  test(
    "while mistakes block, those that stand under other cells still mend",
    async () => {
      const { outputs } = await run("use", "const text: string = size");
      await vi.waitFor(() => expect(textOf(outputs[0])).toContain("TS2322"), WAIT);
      session.types.set("block");
      expect((await run("size", "const size = 'large'")).failure).toBeUndefined();
      await vi.waitFor(() => expect(outputs.map(textOf)).toEqual([expect.any(String), ""]), WAIT);
    },
    PATIENCE,
  );
});
