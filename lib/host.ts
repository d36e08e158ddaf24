// The part of the kernel's session that the library uses, found at run time: the kernel imports no library and the library
// no kernel. In plain Node there is none, and nothing here depends on one.

import { LensorError } from "./errors.ts";
import type { InputDefinition, InputHandle } from "./input/definition.ts";
import type { MimeBundle } from "./plot/figure.ts";

export interface Host {
  display(bundle: MimeBundle, options?: { id?: string }): string;
  update(id: string, bundle: MimeBundle): void;
  /** [0] is not zero while an interrupt is pending: native kernels poll it; [1] is the run under way, 0 between runs. */
  readonly interruptFlag: Int32Array;
  /** What the cell of a run was called then: "Cell [3]". */
  label?(run: number): string | undefined;
  /** The notebook's names that have a value, with it. */
  variables?(): Iterable<[name: string, value: unknown]>;
  /** Awaited at the end of every cell; what it throws is the cell's error. */
  onCellEnd(drain: () => Promise<void>): void;
  /** Of the cell whose code is running: aborted when it is interrupted or run again. */
  signal?(): AbortSignal;
  /** Opens an input's widget, or takes up the one that the cell's last run made of the same definition. */
  input?(definition: InputDefinition, owner: object): InputHandle;
}

/** For long loops of the library's own, which no compiled guard watches: call it now and then. */
export function stopIfInterrupted(): void {
  if (currentHost()?.interruptFlag[0]) throw new LensorError("The cell was interrupted");
}

/** Who works or holds something, by the number of a run; 0 is what runs outside any cell. */
export function cellName(run: number): string {
  if (run === 0) return currentHost() ? "outside cells" : "this program";
  return currentHost()?.label?.(run) ?? `run ${run}`;
}

export function currentHost(): Host | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for("lensor.host")] as Host | undefined;
}
