// A notebook in one process, for tests of the compiled form: cells compiled and run as the session does, with no child
// process, no displays and no modules but those given.

import vm from "node:vm";
import { compileCell } from "../../../kernel/compile/cell.ts";
import { Namespace } from "../../../kernel/session/namespace.ts";

class Stopped extends Error {}

export class Notebook {
  readonly namespace = new Namespace();
  readonly modules: Record<string, Record<string, unknown>>;
  /** Not zero: guards call `tick`. */
  readonly stop = new Int32Array(1);
  interrupted = false;
  ticks = 0;
  #unnamed = 0;

  constructor(modules: Record<string, Record<string, unknown>> = {}) {
    this.modules = modules;
  }

  /** Runs a cell, under an id or as a new one, and gives the value it ends in. */
  async run(source: string, cell = `new-${this.#unnamed++}`): Promise<unknown> {
    this.namespace.place(cell);
    const visible = this.namespace.visible(cell);
    const compiled = compileCell(source, new Set(visible.keys()));
    this.namespace.clear(cell);
    const names = {};
    for (const name of compiled.inputs)
      Object.defineProperty(names, name, { get: visible.get(name)!.get, enumerable: true });
    const run = vm.runInThisContext(`(${compiled.code})`) as (cell: object) => Promise<[unknown] | undefined>;
    const returned = await run({
      in: names,
      stop: this.stop,
      reason: new Stopped("stopped"),
      tick: () => {
        this.ticks++;
        if (this.interrupted) throw new Stopped("stopped");
      },
      caught: (error: unknown) => {
        if (error instanceof Stopped) throw error;
      },
      define: (accessors: never) => this.namespace.define(cell, accessors),
      module: async (specifier: string) => this.modules[specifier],
      import: async (specifier: string) => this.modules[specifier],
      meta: { url: "file:///notebook.ts" },
    });
    return returned?.[0];
  }

  /** The value a new last cell would see. */
  get(name: string): unknown {
    return this.namespace.all().get(name)?.get();
  }
}
