// What the magics of compile/magics.ts do when they run. Relies on the run whose code calls them.
// Each loads what it needs when it is first used. Changes nothing but the process's environment.

import { host } from "./host.ts";
import { emit } from "./link.ts";
import type { Modules } from "./modules.ts";
import type { Namespace } from "./namespace.ts";
import { currentRun } from "./run.ts";
import { flush, write } from "./streams.ts";

const SECRET = /key|token|secret|password|credential/i;

/** Installs the functions that written-out magics call. */
export function installMagics(namespace: Namespace, modules: Modules): void {
  const magics = {
    time: () => currentRun()?.time(),
    show: (type: string, text: string): void => void host.display({ [type]: text }),
    env,
    async who(): Promise<void> {
      write("stdout", (await import("./names.ts")).tableOf(namespace));
    },
    async help(name: string): Promise<void> {
      const { inspect } = await import("./names.ts");
      const { found, text } = inspect(namespace, modules, name, name.length);
      if (!found) throw new ReferenceError(`Nothing is known of ${name}: no cell has defined it.`);
      flush();
      emit({ event: "page", run: currentRun()?.id ?? 0, data: { "text/plain": text } });
    },
    npm: async (rest: string) => (await import("./npm.ts")).npm(rest, modules.folder),
  };
  Object.defineProperty(globalThis, Symbol.for("lensor.magic"), { value: magics, configurable: true });
}

/** `%env`, `%env NAME`, `%env NAME=value`: all of the environment (secrets hidden), one of it, or a change. */
function env(rest: string): void {
  const [, name, value] = /^([^\s=]*)(?:\s*=\s*|\s+)?([\s\S]*)$/.exec(rest)!;
  if (!name) {
    const all = Object.entries(process.env).sort(([a], [b]) => (a < b ? -1 : 1));
    const lines = all.map(([key, text]) => `${key}=${SECRET.test(key) ? "<hidden>" : text}\n`);
    write("stdout", lines.join(""));
  } else if (rest === name) write("stdout", `${process.env[name] ?? `${name} is not set`}\n`);
  else process.env[name] = value;
}
