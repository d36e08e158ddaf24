// The seam through which a library shows things and hears of interrupts: `globalThis[Symbol.for("lensor.host")]`.
// Relies on the run whose code is calling. The kernel imports no library: libraries look here, and find nothing in plain Node.

import { randomUUID } from "node:crypto";
import type { Definition } from "./accept.ts";
import { bundleOf, canDisplay, checkBundle } from "./display.ts";
import { type InputHandle, inputs as widgets } from "./inputs.ts";
import { every } from "./intrinsics.ts";
import { type Command, emit, type MimeBundle } from "./link.ts";
import { currentRun, flag, labelOf } from "./run.ts";
import { flush } from "./streams.ts";

export interface Host {
  /** Shows a MIME bundle in the output of the cell whose code is running. Returns the display's id. */
  display(bundle: MimeBundle, options?: { id?: string }): string;
  /** Replaces the bundle shown under an id. */
  update(id: string, bundle: MimeBundle): void;
  /** [0] is non-zero while an interrupt is pending; [1] is the number of the run under way, 0 between runs. */
  readonly interruptFlag: Int32Array;
  /** What the cell of a run was called then: "Cell [3]". */
  label(run: number): string | undefined;
  /** The notebook's names that have a value, with it. */
  variables(): Iterable<[name: string, value: unknown]>;
  /** Aborted when the current cell is interrupted or run again. */
  signal(): AbortSignal;
  /** Registers a function that is awaited at the end of every cell; what it throws is the cell's error. */
  onCellEnd(drain: () => Promise<void>): void;
  /**
   * Opens an input, or takes up the one that the cell's last run made of the same definition.
   * @param owner The object that a cell's names hold.
   */
  input(definition: Definition, owner: object): InputHandle;
}

const drains: (() => Promise<void>)[] = [];

/** Whoever holds the names says how to list them. */
export const names: { all(): Iterable<[name: string, value: unknown]> } = { all: () => [] };

export const host: Host = {
  display(bundle, options) {
    const id = options?.id ?? randomUUID();
    const data = checkBundle(bundle);
    flush();
    emit({ event: "display", run: currentRun()?.id ?? 0, data, id });
    return id;
  },
  update(id, bundle) {
    const data = checkBundle(bundle);
    flush();
    emit({ event: "update", run: currentRun()?.id ?? 0, data, id });
  },
  interruptFlag: flag,
  label: labelOf,
  variables: () => names.all(),
  signal() {
    return currentRun()?.controller.signal ?? new AbortController().signal;
  },
  onCellEnd(drain) {
    drains.push(drain);
  },
  input: (definition, owner) => widgets.open(definition, owner),
};

/** Waits for what this cell still has to show, and for what libraries have to finish or report for it. */
export async function drainCell(): Promise<void> {
  await every(currentRun()?.displays ?? []);
  for (const drain of drains) await drain();
}

let inputs = 0;
const questions = new Map<number, Question>();

interface Question {
  resolve(text: string): void;
  reject(error: Error): void;
}

/** What the host answers to a question on the stdin channel, or why nobody could be asked. */
export function answerInput({ id, text, refused }: Extract<Command, { op: "input" }>): void {
  const question = questions.get(id);
  questions.delete(id);
  if (refused === undefined) question?.resolve(text);
  else question?.reject(new Error(refused));
}

/**
 * Shows in the order of the calls as far as values have their bundles at once; the cell's end waits for the others. What is
 * shown under an id can be replaced: `display.update(id, value)`.
 */
function display(value: unknown, options: { id?: string } = {}): Promise<void> {
  return inOrder(showNow(value, (bundle) => host.display(bundle, options)));
}

display.update = (id: string, value: unknown): Promise<void> =>
  inOrder(showNow(value, (bundle) => host.update(id, bundle)));

/** Clears the cell's output; with `wait`, when the next output comes, so that nothing flickers. */
display.clear = ({ wait = false }: { wait?: boolean } = {}): void => {
  flush();
  emit({ event: "clear", run: currentRun()?.id ?? 0, wait });
};

function inOrder(shown: Promise<void>): Promise<void> {
  const displays = currentRun()?.displays;
  const settled = () => displays?.delete(shown);
  displays?.add(shown);
  shown.then(settled, settled);
  return shown;
}

async function showNow(value: unknown, show: (bundle: MimeBundle) => void): Promise<void> {
  const bundle = bundleOf(value instanceof Promise && !canDisplay(value) ? await value : value);
  const ready = bundle instanceof Promise ? await bundle : bundle;
  if (ready) show(ready);
}

type Shell = typeof import("./shell.ts").sh;

/** Loaded when a cell first runs a command. */
const sh = async (...command: Parameters<Shell>): Promise<void> =>
  (await import("./shell.ts")).sh(...command);
sh.text = async (...command: Parameters<Shell>): Promise<string> =>
  (await import("./shell.ts")).sh.text(...command);

/** Globals of every cell: `display(value)` shows now, `await prompt("name?")` asks through the front end, sh`ls` runs a command. */
export function installGlobals(require: NodeJS.Require): void {
  const globals = {
    [Symbol.for("lensor.host")]: host,
    display,
    prompt(text: unknown = "", options: { password?: boolean } = {}): Promise<string> {
      const id = ++inputs;
      flush();
      emit({
        event: "input",
        run: currentRun()?.id ?? 0,
        id,
        prompt: String(text),
        password: options.password ?? false,
      });
      return new Promise((resolve, reject) => questions.set(id, { resolve, reject }));
    },
    require,
    sh,
  };
  for (const key of Reflect.ownKeys(globals))
    Object.defineProperty(globalThis, key, {
      value: globals[key as keyof typeof globals],
      writable: true,
      configurable: true,
      enumerable: false,
    });
}
