/**
 * One start of the kernel, measured from outside: the times of its first replies, and what host and child weigh at rest.
 * Speaks the Jupyter protocol by itself over zeromq. Reads memory from /proc: Linux only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer } from "zeromq";
import { root } from "./side.ts";

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
  if (process.platform !== "linux") throw new Error("The kernel's memory is read from /proc: Linux only.");
  const folder = mkdtempSync(join(tmpdir(), "lensor-bench-"));
  const key = randomUUID();
  const file = join(folder, "connection.json");
  const connection = {
    // Local socket files: a port that was free a moment ago may be somebody else's by now.
    transport: "ipc",
    ip: join(folder, "socket"),
    shell_port: 1,
    iopub_port: 2,
    stdin_port: 3,
    control_port: 4,
    hb_port: 5,
    signature_scheme: "hmac-sha256",
    key,
  };
  writeFileSync(file, JSON.stringify(connection));
  const start = performance.now();
  const kernel = spawn(process.execPath, [join(root, "kernel/cli/lensor.mjs"), "kernel", file], {
    stdio: ["ignore", "ignore", "inherit"],
    cwd: folder,
  });
  const sockets: Dealer[] = [];
  const open = (port: number): Dealer => {
    const socket = new Dealer({ linger: 0, reconnectInterval: 5, receiveTimeout: 30_000 });
    socket.connect(`ipc://${connection.ip}-${port}`);
    sockets.push(socket);
    return socket;
  };
  try {
    const requests = open(connection.shell_port);
    await request(requests, key, "kernel_info_request", {});
    const info = performance.now() - start;
    await request(requests, key, "execute_request", { code: "1 + 1", silent: false, store_history: true });
    const cell = performance.now() - start;
    await sleep(rest * 1000);
    const weight = weigh(kernel);
    await request(open(connection.control_port), key, "shutdown_request", { restart: false });
    return { info, cell, ...weight };
  } finally {
    for (const socket of sockets) socket.close();
    if (kernel.exitCode === null) {
      const gone = new Promise((resolve) => kernel.once("exit", resolve));
      await Promise.race([gone, sleep(2000)]);
      kernel.kill("SIGKILL");
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Sends one signed request and waits for the reply to it. */
async function request(socket: Dealer, key: string, type: string, content: object): Promise<void> {
  const id = randomUUID();
  const date = new Date().toISOString();
  const header = { msg_id: id, msg_type: type, username: "bench", session: "bench", date, version: "5.4" };
  const parts = [header, {}, {}, content].map((part) => JSON.stringify(part));
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  await socket.send(["<IDS|MSG>", hmac.digest("hex"), ...parts]);
  for await (const frames of socket) {
    const at = frames.findIndex((frame) => frame.toString() === "<IDS|MSG>");
    const [parent, reply] = [frames[at + 3], frames[at + 5]].map((part) => JSON.parse(String(part ?? "{}")));
    if (parent.msg_id !== id) continue;
    if (reply.status !== "ok") throw new Error(`The kernel answered ${type} with ${JSON.stringify(reply)}`);
    return;
  }
}

/** The resident and the proportional set (shared pages split among those who map them) of a process and its children. */
function weigh(kernel: ChildProcess): { rss: number; pss: number } {
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
