// A reply that grows in the cell's output. Redraws ten times a second at most; leaves the finished text behind.
// In plain Node there is no cell and nothing is shown.

import { currentHost, type Host } from "../host.ts";
import type { MimeBundle } from "../plot/figure.ts";
import { isSilent } from "../progress.ts";

const REDRAW_MS = 100;

export class LiveReply {
  readonly #host: Host;
  readonly #signal: AbortSignal | undefined;
  readonly #bundle: (text: string) => MimeBundle;
  #id: string | undefined;
  #drawn = Number.NEGATIVE_INFINITY;

  private constructor(host: Host, bundle: (text: string) => MimeBundle) {
    this.#host = host;
    this.#signal = host.signal?.();
    this.#bundle = bundle;
  }

  static start(bundle: (text: string) => MimeBundle): LiveReply | undefined {
    const host = isSilent() ? undefined : currentHost();
    return host && new LiveReply(host, bundle);
  }

  update(text: string, now = false): void {
    if (this.#signal?.aborted || (!now && performance.now() - this.#drawn < REDRAW_MS)) return;
    this.#drawn = performance.now();
    this.#show(this.#bundle(text));
  }

  /** The finished reply's own bundle, if it is still the same cell that runs. Says whether it was taken. */
  finish(bundle: MimeBundle): boolean {
    if (this.#id === undefined || this.#signal !== this.#host.signal?.()) return false;
    this.#show(bundle);
    return true;
  }

  #show(bundle: MimeBundle): void {
    if (this.#id === undefined) this.#id = this.#host.display(bundle);
    else this.#host.update(this.#id, bundle);
  }
}
