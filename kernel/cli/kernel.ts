// `lensor kernel <connection file>`: the process a Jupyter server starts. Opens the session's child first, then the
// sockets, so that both start at once. Ends on a shutdown request, on SIGTERM, or when the server that started it is gone.

import { openSession } from "../session/session.ts";

export async function main(args: string[]): Promise<number> {
  const [path] = args;
  if (!path) {
    process.stderr.write("lensor kernel: expected the path of a connection file. Jupyter gives one.\n");
    return 2;
  }
  const session = openSession();
  const [{ readConnection }, { openSockets }, { Kernel }] = await Promise.all([
    import("../protocol/connection.ts"),
    import("../protocol/sockets.ts"),
    import("../protocol/kernel.ts"),
  ]);
  try {
    const sockets = await openSockets(readConnection(path));
    const kernel = new Kernel(sockets, session);
    await Promise.race([kernel.ended, ended()]);
    await session.close();
    await sockets.close();
    return 0;
  } catch (error) {
    await session.close();
    process.stderr.write(`lensor kernel: ${(error as Error).message}\n`);
    return 1;
  }
}

/** Told to end, or orphaned. Ctrl-C in the server's terminal is the server's to handle. */
function ended(): Promise<void> {
  process.on("SIGINT", () => {});
  const parent = process.ppid;
  return new Promise((resolve) => {
    process.on("SIGTERM", () => resolve());
    setInterval(() => {
      if (process.ppid !== parent) resolve();
    }, 1000).unref();
  });
}
