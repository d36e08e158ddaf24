// What types add to a session: completion and inspection that know them, and the mistakes they show, under the cell.
// Relies on kernel/language, which it loads, and whose server it starts, when somebody first asks; of a person's own cells, once
// they have been quiet for a moment. Cells never wait for it, unless the person wants mistakes to stop them.

import { randomUUID } from "node:crypto";
import type { TypesMode } from "../labextension/src/messages.ts";
import { Texts } from "../language/texts.ts";
import type { TypeScript } from "../language/typescript.ts";
import type { ExecuteRequest, Failure, Frontend } from "../protocol/session.ts";
import { unnamedCell } from "./namespace.ts";

/** Cells are checked when no other has begun for so long: "Run all" comes first. The first check starts the server, and waits longer. */
const PAUSE_MS = 60;
const QUIET_MS = 500;

/** What a display holds whose mistakes are gone. */
const NOTHING = { "text/plain": "" };

/** A cell whose mistakes are shown, or may be. */
interface Checked {
  readonly id: string;
  readonly label: string;
  readonly frontend: Frontend;
  /** Its display, once it has one. */
  display?: string;
  shown: string;
}

export class Types {
  /** The notebook's. */
  readonly folder: string;
  readonly #default: TypesMode;
  /** What a front end has said that the person wants. */
  #set: TypesMode | undefined;
  readonly #texts = new Texts();
  readonly #checked = new Map<string, Checked>();
  readonly #waiting = new Set<Checked>();
  #typescript: Promise<TypeScript> | undefined;
  #running: TypeScript | undefined;
  #unnamed = 0;
  /** What was said of the folder's tsconfig.json. */
  #said: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param mode What holds until a front end says something else. */
  constructor(folder: string, mode: TypesMode) {
    this.folder = folder;
    this.#default = mode;
  }

  get mode(): TypesMode {
    return this.#set ?? this.#default;
  }

  /** Cells that begin from now on go by it. Switched off, what is shown goes, and the server with it. */
  set(mode: TypesMode | undefined): void {
    const before = this.mode;
    this.#set = mode;
    if (this.mode !== "off" || before === "off") return;
    for (const { display, frontend } of this.#checked.values())
      if (display !== undefined) frontend.output({ type: "update_display_data", data: NOTHING, id: display });
    this.#checked.clear();
    this.#waiting.clear();
    clearTimeout(this.#timer);
    this.#running?.close();
    this.#running = undefined;
    this.#typescript = undefined;
  }

  /** The server's process id, for measurements and tests; undefined while none runs. */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** An open notebook's cells, all of them. */
  document(order: readonly string[], sources: Readonly<Record<string, string>>): void {
    for (const id of order) if (Object.hasOwn(sources, id)) this.#texts.put(id, sources[id]!);
    this.#texts.arrange(order);
  }

  removed(cells: readonly string[]): void {
    this.#texts.remove(cells);
    for (const cell of cells) this.#checked.delete(cell);
  }

  reset(): void {
    this.#texts.reset();
  }

  /**
   * A cell begins to run. Resolves when it may: at once, unless mistakes keep cells from running; then with what keeps it.
   */
  begin(request: ExecuteRequest, frontend: Frontend): Promise<Failure | undefined> | undefined {
    const { code, silent, cell, order, deleted, count, attended } = request;
    if (silent) return undefined;
    if (deleted?.length) this.removed(deleted);
    const id = cell ?? unnamedCell(++this.#unnamed);
    this.#texts.put(id, code, cell === undefined);
    if (order) this.#texts.arrange(order);
    // The texts are kept in any case: the person may want types later.
    if (this.mode === "off") return undefined;
    const checked: Checked = { id, label: `Cell [${count}]`, frontend, shown: "" };
    this.#checked.delete(id);
    if (this.mode === "block") {
      this.#checkSoon();
      return this.#refusal(checked, code);
    }
    if (!attended) return undefined;
    // A console's line is never run again: what it showed stands.
    this.#checked.set(id, checked);
    this.#waiting.add(checked);
    this.#checkSoon();
    return undefined;
  }

  /** The language services, which are loaded at the first call; undefined where nobody wants them. */
  services(): Promise<TypeScript> | undefined {
    if (this.mode === "off" || this.#closed) return undefined;
    if (this.#typescript) return this.#typescript;
    const started: Promise<TypeScript> = import("../language/typescript.ts").then(({ TypeScript }) => {
      const typescript = new TypeScript(this.folder, this.#texts);
      // Meanwhile the session may have ended, or the person wants no types any more.
      if (this.#closed || this.#typescript !== started) typescript.close();
      else this.#running = typescript;
      return typescript;
    });
    this.#typescript = started;
    return started;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#running?.close();
  }

  #checkSoon(): void {
    clearTimeout(this.#timer);
    const wait = this.#running?.pid ? PAUSE_MS : QUIET_MS;
    this.#timer = setTimeout(() => void this.#checkWaiting(), wait).unref();
  }

  async #checkWaiting(): Promise<void> {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const one of waiting) await this.#check(one);
    // What a cell now defines may mend others, or break them again.
    for (const other of this.#checked.values())
      if (other.display !== undefined && !waiting.includes(other)) await this.#check(other);
  }

  async #check(checked: Checked): Promise<void> {
    const { id, label, frontend } = checked;
    try {
      const typescript = await this.services();
      const source = this.#texts.get(id)?.text;
      if (!typescript || source === undefined) return;
      const found = await typescript.diagnose(id);
      this.#tellProblem(typescript, frontend);
      // It has been run again meanwhile, or deleted: somebody else checks it.
      if (this.#checked.get(id) !== checked || this.#closed) return;
      // A text that cannot be parsed has failed already, and said so.
      const mistakes = found.some(isSyntax) ? [] : found;
      const { bundleOf } = await import("../language/look.ts");
      const data = bundleOf({ label, source }, mistakes);
      const text = JSON.stringify(data);
      if (text === checked.shown || (checked.display === undefined && mistakes.length === 0)) return;
      checked.shown = text;
      if (checked.display !== undefined)
        frontend.output({ type: "update_display_data", data, id: checked.display });
      else {
        checked.display = randomUUID();
        frontend.output({ type: "display_data", data, id: checked.display });
      }
    } catch {
      // No server, or it died of this: the cell has run all the same.
    } finally {
      if (checked.display === undefined && this.#checked.get(id) === checked) this.#checked.delete(id);
    }
  }

  /** Once, under the cell that is looked at first. */
  #tellProblem({ problem }: TypeScript, frontend: Frontend): void {
    if (problem === undefined || problem === this.#said) return;
    this.#said = problem;
    frontend.output({ type: "stream", name: "stderr", text: `${problem}\n` });
  }

  async #refusal({ id, label, frontend }: Checked, source: string): Promise<Failure | undefined> {
    let found: Awaited<ReturnType<TypeScript["diagnose"]>>;
    try {
      const typescript = await this.services();
      found = (await typescript?.diagnose(id)) ?? [];
      if (typescript) this.#tellProblem(typescript, frontend);
    } catch {
      return undefined;
    }
    const [first] = found;
    if (!first || found.some(isSyntax)) return undefined;
    const { linesOf } = await import("../language/look.ts");
    const why = `the cell was not run, since ${this.#set ? "type errors are set to" : "LENSOR_TYPES is"} "block"`;
    return {
      ename: "TypeScript",
      evalue: `${first.message} (TS${first.code}; ${why})`,
      // Pages show the traceback alone.
      traceback: [...linesOf({ label, source }, found), "", `${why[0]!.toUpperCase()}${why.slice(1)}.`],
    };
  }
}

/** Mistakes of syntax, in TypeScript's numbers. */
function isSyntax({ code }: { readonly code: number }): boolean {
  return code >= 1000 && code < 2000;
}

/** `LENSOR_TYPES`: "show", the default, "block" or "off". */
export function typesMode(env: NodeJS.ProcessEnv): TypesMode {
  const { LENSOR_TYPES: mode = "show" } = env;
  if (mode === "show" || mode === "block" || mode === "off") return mode;
  process.stderr.write(
    `lensor: LENSOR_TYPES should be show, block or off, and is "${mode}". Taken as show.\n`,
  );
  return "show";
}
