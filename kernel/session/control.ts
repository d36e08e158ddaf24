// The control thread of the child: sets the interrupt flag while the main thread is busy, and ends the child's whole
// process group when the host is gone. Relies on a pipe of its own. Never touches the person's values.

import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { askBackground, askInterrupt, type Flag } from "./flag.ts";
import { BACKGROUND, CONTROLS, type Control, encode, lines } from "./link.ts";

const { flag } = workerData as { flag: Flag };

const pipe = new Socket({ fd: CONTROLS, readable: true, writable: true });
pipe.on(
  "data",
  lines<Control>((control) => {
    if (control.run === BACKGROUND ? !askBackground(flag) : !askInterrupt(flag, control.run)) return;
    parentPort?.postMessage(control.run);
    // The host hears that the flag is up: what the cell waits for may fail now, and the cell knows why.
    pipe.write(encode(control));
  }),
);
pipe.on("error", hostGone);
pipe.on("close", hostGone);

function hostGone(): void {
  // The child leads its own process group: what its cells started ends with it.
  process.kill(-process.pid, "SIGKILL");
}
