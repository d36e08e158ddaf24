// Drives a session's child process as the kernel does, and collects what each cell says.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecuteRequest, Failure, Output } from "../../../kernel/protocol/session.ts";
import { type SessionOptions, SessionProcess } from "../../../kernel/session/process.ts";

export interface Ran {
  readonly outputs: readonly Output[];
  readonly failure: Failure | undefined;
  /** The text/plain of the value. */
  readonly text: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export class Harness {
  readonly folder = mkdtempSync(join(tmpdir(), "lensor-session-"));
  readonly process: SessionProcess;
  answer = "typed";
  /** What the cell that was sent last has printed to stdout so far. */
  printed = "";
  #count = 0;

  constructor(options: Omit<SessionOptions, "cwd"> = {}) {
    this.process = new SessionProcess({ cwd: this.folder, graceMs: 1500, ...options });
  }

  async run(code: string, request: Partial<ExecuteRequest> = {}): Promise<Ran> {
    const outputs: Output[] = [];
    this.printed = "";
    const output = (said: Output): void => {
      outputs.push(said);
      if (said.type === "stream" && said.name === "stdout") this.printed += said.text;
    };
    const failure = await this.process.execute(
      { code, silent: false, count: ++this.#count, ...request },
      { output, input: async (prompt) => `${this.answer} ${prompt}` },
    );
    const stream = (name: string): string =>
      outputs.map((o) => (o.type === "stream" && o.name === name ? o.text : "")).join("");
    const result = outputs.find((o) => o.type === "execute_result");
    return {
      // The list itself: late output still arrives in it.
      outputs,
      failure,
      text: result?.data["text/plain"] as string | undefined,
      get stdout() {
        return stream("stdout");
      },
      get stderr() {
        return stream("stderr");
      },
    };
  }

  /** Runs a cell and interrupts it once it has had time to get going. */
  async interrupted(code: string, afterMs = 150): Promise<Ran & { readonly ms: number }> {
    const running = this.run(code);
    await sleep(afterMs);
    const asked = performance.now();
    this.process.interrupt();
    return { ...(await running), ms: performance.now() - asked };
  }

  async close(): Promise<void> {
    await this.process.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How often a test repeats what may depend on the moment: all of it with `npm run test:full`. */
export const TIMES = process.env.LENSOR_FULL ? 100 : 5;

/** A process's state letter; a killed orphan may stay a zombie (Z) until its new parent looks. */
export function processState(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "")[0]!;
  } catch {
    return "gone";
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something holds, for output that comes after its cell. */
export async function until(holds: () => boolean, ms = 3000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error("It did not happen in time.");
    await sleep(10);
  }
}

/** A traceback without its colours. */
export function plain(failure: Failure | undefined): string {
  const start = String.fromCharCode(27);
  return (failure?.traceback.join("\n") ?? "").replaceAll(new RegExp(`${start}\\[[\\d;]*m`, "g"), "");
}
