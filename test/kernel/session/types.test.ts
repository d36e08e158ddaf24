// What types add to a session: mistakes under their cell, which come and go; a setting that lets them stop cells; and a server
// that is there when it is wanted, dies without harm, and ends with the session.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { ExecuteRequest, Output } from "../../../kernel/protocol/session.ts";
import { type OpenSession, openSession } from "../../../kernel/session/session.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-types-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The server's first answer takes a second, and on a machine that is busy otherwise many. */
const WAIT = { timeout: 25_000 };
const warm = async (session: OpenSession) => void (await (await session.types.services())!.complete("", 0));

let count = 0;
interface Ran {
  readonly outputs: readonly Output[];
  readonly failure: { readonly ename: string; readonly traceback: readonly string[] } | undefined;
}
async function run(session: OpenSession, code: string, request: Partial<ExecuteRequest> = {}): Promise<Ran> {
  const outputs: Output[] = [];
  const { failure } = await session.execute(
    { code, silent: false, attended: true, count: ++count, ...request },
    { output: (output) => void outputs.push(output), input: async () => "" },
  );
  return { outputs, failure };
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const textOf = (output: Output | undefined): string =>
  output && "data" in output ? String(output.data["text/plain"]) : "";

describe("mistakes under their cells", () => {
  let session: OpenSession;
  beforeAll(() => {
    session = openSession({ cwd: folder });
  });
  afterAll(() => session.close());

  test("nobody's cells start no server", async () => {
    await run(session, "const early: number = 'x'", { attended: false });
    await run(session, "1 + 1", { silent: true });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(session.types.pid).toBeUndefined();
  });

  test("the first cell that a person runs starts it", async () => {
    await run(session, "const begun = 1", { cell: "begun" });
    await vi.waitFor(() => expect(session.types.pid).toBeGreaterThan(0), WAIT);
    await warm(session);
  });

  test("the cell has run, and its line is shown with a caret", async () => {
    const { outputs, failure } = await run(session, "const first = 1;\nconst wrong: string = first;", {
      cell: "a",
    });
    expect(failure).toBeUndefined();
    await vi.waitFor(() => expect(outputs).toHaveLength(1), WAIT);
    const [shown] = outputs;
    expect(shown).toMatchObject({ type: "display_data", id: expect.any(String) });
    expect(stripVTControlCharacters(textOf(shown))).toBe(
      [
        "TS2322: Type 'number' is not assignable to type 'string'.",
        `Cell [${count}], line 2`,
        "  1 | const first = 1;",
        "> 2 | const wrong: string = first;",
        "    |       ^^^^^",
      ].join("\n"),
    );
    expect(shown && "data" in shown && shown.data["text/html"]).toMatch(/^<div style=.*not assignable/s);
  });

  test("another cell's edit mends it, in place", async () => {
    await run(session, "const size = 1", { cell: "size" });
    const { outputs } = await run(session, "const text: string = size", { cell: "use" });
    await vi.waitFor(() => expect(textOf(outputs[0])).toContain("TS2322"), WAIT);
    await run(session, "const size = 'large'", { cell: "size" });
    await vi.waitFor(() => expect(outputs).toHaveLength(2), WAIT);
    expect(outputs[1]).toMatchObject({
      type: "update_display_data",
      id: (outputs[0] as { id: string }).id,
      data: { "text/plain": "" },
    });
  });

  test("of a cell that was run again, only the last text is told", async () => {
    const first = await run(session, "const twice: number = 'a'", { cell: "twice" });
    const said = first.outputs.length;
    const second = await run(session, "const twice: number = 2", { cell: "twice" });
    await run(session, "const late: number = 'b'", { cell: "late" }).then(({ outputs }) =>
      vi.waitFor(() => expect(outputs).toHaveLength(1), WAIT),
    );
    expect(second.outputs).toEqual([]);
    expect(first.outputs).toHaveLength(said);
  });

  test("a text that cannot be parsed fails once", async () => {
    const { outputs, failure } = await run(session, "const = 1", { cell: "broken" });
    expect(failure?.ename).toBe("SyntaxError");
    await warm(session);
    expect(outputs).toEqual([]);
  });

  test("a name that would have to be imported comes with its import, where a statement can stand", async () => {
    const alone = await session.complete("readFileSy", 10);
    expect(alone.matches).toContain('import { readFileSync } from "node:fs";\nreadFileSync');
    const inside = await session.complete("const text = readFileSy", 23);
    expect(inside.matches.filter((match) => match.includes("readFileSync"))).toEqual([]);
    const hub = await session.complete("hub", 3);
    expect(hub.matches).toContain('import { hub } from "lensor";\nhub');
  });

  test("a server that is killed is missed by no cell, and comes back", async () => {
    await warm(session);
    const { pid } = session.types;
    process.kill(pid!, "SIGKILL");
    expect((await run(session, "1 + 1")).outputs).toMatchObject([{ type: "execute_result" }]);
    await warm(session);
    expect((await session.complete("fir", 3)).matches).toContain("first");
    await vi.waitFor(() => expect(session.types.pid).toBeGreaterThan(0), WAIT);
    expect(session.types.pid).not.toBe(pid);
  });

  test("it ends with the session", async () => {
    const { pid } = session.types;
    await session.close();
    await vi.waitFor(() => expect(isAlive(pid!)).toBe(false));
  });
});

describe("LENSOR_TYPES", () => {
  let session: OpenSession;
  afterEach(() => session.close());

  test("block: a cell with mistakes does not run", async () => {
    session = openSession({ cwd: folder, env: { ...process.env, LENSOR_TYPES: "block" } });
    await warm(session);
    const { failure } = await run(session, "console.log('ran'); const wrong: number = 'x'");
    expect(failure).toMatchObject({ ename: "TypeScript" });
    expect(failure!.traceback.join("\n")).toMatch(/TS2322.*line 1.*\^.*not run/s);
    const { outputs } = await run(
      session,
      "// @ts-expect-error\nconst meant: number = 'x'; console.log('ran')",
    );
    expect(outputs).toMatchObject([{ type: "stream", text: "ran\n" }]);
  });

  test("off: completion and inspection know values alone, and nothing is started", async () => {
    session = openSession({ cwd: folder, env: { ...process.env, LENSOR_TYPES: "off" } });
    const { outputs } = await run(session, "const wrong: number = 'x'");
    await vi.waitFor(async () => expect((await session.complete("wro", 3)).matches).toEqual(["wrong"]), {
      timeout: 10_000,
    });
    expect((await session.inspect("wrong", 3, false)).data).toEqual({ "text/plain": "wrong: string\n'x'" });
    expect(session.types.pid).toBeUndefined();
    expect(outputs).toEqual([]);
  });
});
