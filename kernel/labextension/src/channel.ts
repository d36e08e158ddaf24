// The comm `lensor.notebook` of one notebook: opened when the notebook's kernel is ours and ready, and again after a restart
// or a lost connection. Relies on the session's signals. Knows nothing of what the messages mean.

import type { ISessionContext } from "@jupyterlab/apputils";
import type { Kernel } from "@jupyterlab/services";
import { Signal } from "@lumino/signaling";
import { type Opening, TARGET, type ToKernel } from "./messages.ts";

/** Whose kernel it is. `unknown`: it has not said yet; then it may be ours. */
export type Owner = "none" | "unknown" | "ours" | "other";

export interface Ends {
  /** What the comm is opened with. */
  opening(): Opening;
  received(data: unknown): void;
}

export class Channel {
  /** The comm was opened or is gone, or the kernel is another one. */
  readonly changed = new Signal<this, void>(this);
  readonly #session: ISessionContext;
  readonly #ends: Ends;
  #kernel: Kernel.IKernelConnection | null = null;
  #owner: Owner = "none";
  #comm: Kernel.IComm | undefined;
  /** The kernel closed the comm, or this connection has none: it is not asked again before it starts anew. */
  #refused = false;
  #wasLost = false;

  constructor(session: ISessionContext, ends: Ends) {
    this.#session = session;
    this.#ends = ends;
    session.kernelChanged.connect(this.#takeKernel, this);
    session.statusChanged.connect(this.#statusChanged, this);
    session.connectionStatusChanged.connect(this.#connectionChanged, this);
    this.#takeKernel();
  }

  get owner(): Owner {
    return this.#owner;
  }

  get isOpen(): boolean {
    return this.#comm !== undefined;
  }

  /** Settles when the kernel has said what it is, or is gone. */
  async known(): Promise<Owner> {
    const kernel = this.#kernel;
    if (kernel && this.#owner === "unknown") {
      const gone = new Promise((resolve) => kernel.disposed.connect(resolve));
      await Promise.race([kernel.info.catch(() => undefined), gone]);
    }
    return this.#owner;
  }

  /** Opens the comm unless it is open. Messages wait in the connection where the kernel is still starting. */
  open(): boolean {
    const kernel = this.#kernel;
    if (this.#comm || this.#refused || this.#owner !== "ours" || !kernel || !isAlive(kernel))
      return this.isOpen;
    try {
      // A second connection of this page to one kernel has no comms: its cells run without a plan.
      const comm = kernel.createComm(TARGET);
      comm.onMsg = (message) => this.#ends.received(message.content.data);
      comm.onClose = () => {
        if (this.#comm !== comm) return;
        this.#refused = true;
        this.#drop();
      };
      this.#comm = comm;
      comm.open(plain(this.#ends.opening()));
      this.changed.emit();
    } catch (error) {
      console.debug("lensor: this notebook runs without a plan.", error);
      this.#comm = undefined;
      this.#refused = true;
    }
    return this.isOpen;
  }

  /** False where there is nobody to send to. */
  send(message: ToKernel): boolean {
    if (!this.#comm || this.#comm.isDisposed || this.#kernel?.isDisposed) return false;
    this.#comm.send(plain(message));
    return true;
  }

  dispose(): void {
    Signal.clearData(this);
    this.#close();
  }

  #takeKernel(): void {
    const kernel = this.#session.session?.kernel ?? null;
    this.#refused = false;
    this.#wasLost = false;
    this.#kernel = kernel;
    this.#owner = kernel ? this.#guess(kernel) : "none";
    if (kernel && this.#owner === "unknown")
      kernel.info.then(
        ({ implementation }) => {
          if (this.#kernel !== kernel) return;
          this.#owner = implementation === "lensor" ? "ours" : "other";
          if (!this.open()) this.changed.emit();
        },
        () => undefined,
      );
    this.#drop();
  }

  /** A kernel whose specification names another language need not be asked what it is. */
  #guess(kernel: Kernel.IKernelConnection): Owner {
    const language = this.#session.specsManager.specs?.kernelspecs[kernel.name]?.language;
    return language === undefined || language.toLowerCase() === "typescript" ? "unknown" : "other";
  }

  #statusChanged(_: unknown, status: Kernel.Status): void {
    if (status === "restarting" || status === "autorestarting" || status === "dead") {
      this.#refused = false;
      this.#drop();
    } else if (status === "idle" || status === "busy") this.open();
  }

  /** What the kernel said while the connection was down may be lost, so it is asked for everything again. */
  #connectionChanged(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status !== "connected") this.#wasLost = this.isOpen;
    else if (this.#wasLost) {
      this.#wasLost = false;
      this.#close();
      this.#drop();
      this.open();
    }
  }

  #close(): void {
    const comm = this.#comm;
    this.#comm = undefined;
    if (!comm || comm.isDisposed || this.#kernel?.isDisposed || this.#kernel?.status === "dead") return;
    comm.onClose = () => undefined;
    comm.close();
  }

  /** The kernel's end is gone already. */
  #drop(): void {
    this.#comm = undefined;
    this.changed.emit();
  }
}

const isAlive = ({ isDisposed, status }: Kernel.IKernelConnection) =>
  !isDisposed && status !== "dead" && status !== "terminating";

/** The messages are plain JSON, which their types with named fields do not say. */
const plain = (message: Opening | ToKernel) => message as unknown as Parameters<Kernel.IComm["send"]>[0];
