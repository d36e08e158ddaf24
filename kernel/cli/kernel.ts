// `lensor kernel <connection file>`: the process a Jupyter server starts. Opens the session's child first, then the
// sockets, so that both start at once. Ends on a shutdown request, on SIGTERM, or when the server that started it is gone;
// SIGINT interrupts the cell.

import { openSession } from "../session/session.ts";
import { historyFolder } from "./places.ts";

export async function main(args: string[]): Promise<number> {
  const [path] = args;
  if (!path) {
    process.stderr.write("lensor kernel: expected the path of a connection file. Jupyter gives one.\n");
    return 2;
  }
  const session = openSession();
  process.on("SIGINT", () => session.interrupt());
  const [{ readConnection }, { openSockets }, { Kernel }, { History }, { HistoryFolder }] = await Promise.all(
    [
      import("../protocol/connection.ts"),
      import("../protocol/sockets.ts"),
      import("../protocol/kernel.ts"),
      import("../protocol/history.ts"),
      import("../protocol/history-folder.ts"),
    ],
  );
  try {
    const sockets = await openSockets(readConnection(path));
    const history = new History(new HistoryFolder(historyFolder()));
    const kernel = new Kernel(sockets, session, history);
    await Promise.race([kernel.ended, ended()]);
    await Promise.all([session.close(), history.close()]);
    await sockets.close();
    return 0;
  } catch (error) {
    await session.close();
    process.stderr.write(`lensor kernel: ${(error as Error).message}\n`);
    return 1;
  }
}

/** Told to end, or orphaned. */
function ended(): Promise<void> {
  const parent = process.ppid;
  return new Promise((resolve) => {
    process.on("SIGTERM", () => resolve());
    setInterval(() => {
      if (process.ppid !== parent) resolve();
    }, 1000).unref();
  });
}
