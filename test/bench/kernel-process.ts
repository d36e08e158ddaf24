/**
 * One start of the kernel, measured from outside: the times of its first replies, and what host and child weigh at rest.
 * Reads memory from /proc: Linux only.
 */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "./kernel/client.ts";
import { ours } from "./kernel/contestants.ts";

export interface Figures {
  /** From the start of the process to the reply to kernel_info, and to the first cell's, ms. */
  info: number;
  cell: number;
  /** Bytes resident in host and child together; `pss` splits shared pages among those who map them. */
  rss: number;
  pss: number;
}

/** @param rest Seconds of idleness before memory is read. */
export async function measureKernel(rest = 2): Promise<Figures> {
  const kernel = new KernelClient(ours);
  try {
    await kernel.request("kernel_info_request", {});
    const info = performance.now() - kernel.startedAt;
    const code = { code: "1 + 1", silent: false, store_history: true };
    const { status } = await kernel.request("execute_request", code);
    const cell = performance.now() - kernel.startedAt;
    if (status !== "ok") throw new Error("The kernel's first cell failed.");
    await sleep(rest * 1000);
    return { info, cell, ...weigh(kernel.process) };
  } finally {
    await kernel.close();
  }
}

/** The resident and the proportional set (shared pages split among those who map them) of a process and its children. */
export function weigh(kernel: ChildProcess): { rss: number; pss: number } {
  if (process.platform !== "linux") throw new Error("The kernel's memory is read from /proc: Linux only.");
  const total = { rss: 0, pss: 0 };
  for (const id of family(String(kernel.pid))) {
    const text = readFileSync(`/proc/${id}/smaps_rollup`, "utf8");
    const bytes = (field: string) => 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1]);
    total.rss += bytes("Rss");
    total.pss += bytes("Pss");
  }
  return total;
}

function family(id: string): string[] {
  const children = readdirSync(`/proc/${id}/task`).flatMap((thread) =>
    readFileSync(`/proc/${id}/task/${thread}/children`, "utf8").trim().split(" ").filter(Boolean),
  );
  return [id, ...children.flatMap(family)];
}
