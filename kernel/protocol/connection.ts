// The connection file a Jupyter server hands to a kernel: where to bind, and the key.
// Checked field by field. Never binds anything but this machine's loopback (or a local socket file).

import { readFileSync } from "node:fs";

export const CHANNELS = ["shell", "control", "iopub", "stdin", "hb"] as const;
export type Channel = (typeof CHANNELS)[number];

export interface Connection {
  readonly key: string;
  address(channel: Channel): string;
}

export function readConnection(path: string): Connection {
  let file: Record<string, unknown>;
  try {
    file = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`The connection file ${path} cannot be read: ${(error as Error).message}`);
  }
  return parseConnection(file, path);
}

export function parseConnection(file: Record<string, unknown>, path = "connection file"): Connection {
  const wrong = (field: string, expected: string): Error =>
    new Error(`${path}: "${field}" should be ${expected}, and is ${JSON.stringify(file[field])}.`);
  const { transport = "tcp", ip = "127.0.0.1", key = "", signature_scheme = "hmac-sha256" } = file;
  if (transport !== "tcp" && transport !== "ipc") throw wrong("transport", '"tcp" or "ipc"');
  if (typeof ip !== "string") throw wrong("ip", "a string");
  if (transport === "tcp" && !isLoopback(ip))
    throw new Error(
      `${path}: "ip" is ${ip}; this kernel runs whatever it is sent, so it binds the loopback address only (127.0.0.1).`,
    );
  if (typeof key !== "string") throw wrong("key", "a string");
  if (key && signature_scheme !== "hmac-sha256") throw wrong("signature_scheme", '"hmac-sha256"');
  for (const channel of CHANNELS) {
    const port = file[`${channel}_port`];
    if (typeof port !== "number" || !Number.isInteger(port) || port < 0 || port > 65535)
      throw wrong(`${channel}_port`, "a port number");
  }
  return {
    key,
    address(channel) {
      const port = file[`${channel}_port`];
      return transport === "tcp"
        ? `tcp://${ip.includes(":") ? `[${ip}]` : ip}:${port}`
        : `ipc://${ip}-${port}`;
    },
  };
}

function isLoopback(ip: string): boolean {
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(ip) || ip === "::1" || ip === "localhost";
}
