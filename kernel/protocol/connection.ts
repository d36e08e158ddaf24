// The connection file a Jupyter server hands to a kernel: where to bind, the key, and CurveZMQ's keys where it encrypts.
// Checked field by field. Never binds anything but this machine's loopback (or a local socket file).

import { readFileSync } from "node:fs";

export const CHANNELS = ["shell", "control", "iopub", "stdin", "hb"] as const;
export type Channel = (typeof CHANNELS)[number];

export interface Connection {
  readonly key: string;
  /** This kernel's own keys, as 40 characters of Z85 each: what is sent is encrypted, for those who know the public one. */
  readonly curve?: { readonly publicKey: string; readonly secretKey: string };
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
  const wrong = (field: string, expected: string): Error => {
    // A secret is no part of an error.
    const is =
      /key$/.test(field) && file[field] !== undefined
        ? `a ${typeof file[field]}`
        : JSON.stringify(file[field]);
    return new Error(`${path}: "${field}" should be ${expected}, and is ${is}.`);
  };
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
  const { curve_publickey: publicKey, curve_secretkey: secretKey } = file;
  for (const field of ["curve_publickey", "curve_secretkey"])
    if ((publicKey ?? secretKey) != null && !isZ85Key(file[field]))
      throw wrong(field, "a CurveZMQ key (40 characters of Z85), as its fellow is given");
  return {
    key,
    ...(isZ85Key(publicKey) && isZ85Key(secretKey) ? { curve: { publicKey, secretKey } } : {}),
    address(channel) {
      const port = file[`${channel}_port`];
      return transport === "tcp"
        ? `tcp://${ip.includes(":") ? `[${ip}]` : ip}:${port}`
        : `ipc://${ip}-${port}`;
    },
  };
}

function isZ85Key(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/.test(value);
}

function isLoopback(ip: string): boolean {
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(ip) || ip === "::1" || ip === "localhost";
}
