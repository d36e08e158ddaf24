// CurveZMQ, as Jupyter's own client offers it, over TCP and over local sockets: encryption.py against this checkout's kernel.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { jupyterFolder, needModule, python } from "../jupyter.ts";

test.each(["tcp", "ipc"])(
  "a kernel behind CurveZMQ over %s",
  async (transport) => {
    needModule("jupyter_client");
    const { env, folder, remove } = jupyterFolder();
    const script = join(import.meta.dirname, "encryption.py");
    try {
      const args = [script, transport, join(folder, "socket")];
      const { stdout } = await promisify(execFile)(python, args, { env, cwd: folder });
      expect(JSON.parse(stdout)).toEqual({
        encrypted: true,
        "in the clear": false,
        "another server's key": false,
        "this server's key": true,
        heartbeat: true,
      });
    } finally {
      remove();
    }
  },
  60_000,
);
