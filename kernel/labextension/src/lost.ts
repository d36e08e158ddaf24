// The notice that a notebook's variables are lost, with the way to get them back.
// It stays until it is answered; nothing is run before.

import { Notification } from "@jupyterlab/apputils";

/** JupyterLab cuts longer notices. */
const LONGEST = 140;

export function offerReplay(message: string, cells: readonly string[], replay: () => void): void {
  const count = cells.length === 1 ? "1 cell" : `${cells.length} cells`;
  const offer = {
    label: "Replay",
    caption: `Run ${count} again, in order, to bring the variables back`,
    displayType: "accent" as const,
    callback: replay,
  };
  const shown = message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message;
  Notification.emit(shown || "The notebook's variables are lost.", "error", {
    autoClose: false,
    actions: cells.length > 0 ? [offer] : [],
  });
}
