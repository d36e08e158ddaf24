// What `import` and `require` mean in a cell: modules of the notebook's folder and upward, as if the cell were a file there.
// Relies on Node's own loader; its hooks (TypeScript, JSON, edited files) start with the first import of a file.

import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import vm from "node:vm";
import { placeLike } from "./errors.ts";
import { isPending } from "./flag.ts";
import { currentRun, flag, Interrupt } from "./run.ts";

type Namespace = Record<string, unknown>;
type ImportOptions = { with?: Record<string, string> };
type Import = (specifier: string, options?: ImportOptions) => Promise<Namespace>;

const isFile = (specifier: string): boolean => /^(\.{0,2}\/|\.{1,2}$|file:)/.test(specifier);

export class Modules {
  readonly folder: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly require: NodeJS.Require;
  /** Modules that cells have imported, by specifier: what completion may look at without running anything. */
  readonly loaded = new Map<string, Namespace>();
  readonly #import: Import;
  readonly #stamps = new Map<string, string>();
  #hooked: Promise<void> | undefined;
  #tslab: typeof import("./tslab.ts") | undefined;

  constructor(folder: string) {
    this.folder = folder;
    const filename = join(folder, "notebook.ts");
    const url = pathToFileURL(filename).href;
    const require = createRequire(filename);
    this.require = Object.assign((specifier: string): unknown => {
      if (specifier === "tslab" && this.#tslab) return this.#tslab.default;
      this.#dropEdited();
      const exports: unknown = require(specifier);
      this.#noteLoaded();
      return exports;
    }, require);
    this.meta = Object.freeze({
      url,
      filename,
      dirname: folder,
      resolve: (specifier: string) =>
        isFile(specifier)
          ? new URL(specifier, url).href
          : pathToFileURL(this.require.resolve(specifier)).href,
    });
    const script = new vm.Script("(specifier, options) => import(specifier, options)", {
      filename,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    this.#import = script.runInThisContext() as Import;
  }

  /** `await import(specifier)` from the notebook's folder. */
  async import(specifier: unknown, options?: ImportOptions): Promise<Namespace> {
    const here = new Error();
    const name = withoutNpm(String(specifier));
    if (name === "tslab") return import("./tslab.ts");
    try {
      if (isFile(name)) await (this.#hooked ??= hook());
      this.#dropEdited();
      const namespace = await this.#load(name, options);
      this.#noteLoaded();
      this.loaded.set(name, namespace);
      return namespace;
    } catch (error) {
      // An error of the loader has no frame of the cell: the import's own line is where it happened.
      placeLike(error, here);
      throw error;
    }
  }

  /** Brings what a cell's text asks for and `require` cannot wait for. */
  async bring(source: string): Promise<void> {
    if (source.includes("tslab")) this.#tslab ??= await import("./tslab.ts");
  }

  /** Files of the person's own that CommonJS has loaded, outside of any package. */
  #ownCommonJS(): string[] {
    return Object.keys(this.require.cache).filter(
      (path) => !path.includes("/node_modules/") && !path.endsWith(".node"),
    );
  }

  /** CommonJS keeps what it has loaded: when a file was edited since, all of the person's own load again. */
  #dropEdited(): void {
    const edited = [...this.#stamps].some(([path, stamp]) => stampOf(path) !== stamp);
    if (!edited) return;
    for (const path of this.#ownCommonJS()) delete this.require.cache[path];
    this.#stamps.clear();
  }

  #noteLoaded(): void {
    for (const path of this.#ownCommonJS())
      if (!this.#stamps.has(path)) this.#stamps.set(path, stampOf(path));
  }

  async #load(name: string, options: ImportOptions | undefined): Promise<Namespace> {
    try {
      return await this.#import(name, options);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ERR_UNKNOWN_FILE_EXTENSION" && !this.#hooked) {
        // A package that leads to TypeScript sources, linked into node_modules.
        await (this.#hooked = hook());
        return this.#import(name, options);
      }
      if (code !== "ERR_MODULE_NOT_FOUND") throw error;
      if (isFile(name)) {
        const path = name.startsWith("file:") ? fileURLToPath(name) : resolve(this.folder, name);
        if (existsSync(path)) throw error;
        throw new Error(`There is no file ${path} (imported as "${name}").`);
      }
      // The kernel's own copy, where the folder has none.
      if (/^lensor(\/|$)/.test(name)) return import(name);
      const missing = /Cannot find package '([^']+)'/.exec((error as Error).message)?.[1];
      if (!missing || (name !== missing && !name.startsWith(`${missing}/`))) throw error;
      throw new Error(
        `Cannot find the package "${missing}" in ${this.folder} or above it. Install it there: npm install ${missing}`,
      );
    }
  }

  /** A static import: the module, with each required name checked as the language would. */
  async module(
    specifier: string,
    required: readonly string[],
    _optional: readonly string[],
    attributes: Record<string, string>,
  ): Promise<Namespace> {
    const here = new Error();
    const options = Object.keys(attributes).length ? { with: attributes } : undefined;
    const namespace = await this.import(specifier, options);
    try {
      return this.#checked(specifier, required, namespace);
    } catch (error) {
      placeLike(error, here);
      throw error;
    }
  }

  /** A CommonJS module's exports, where they have names of their own. */
  #commonJS(exports: unknown): object | undefined {
    if ((typeof exports !== "object" && typeof exports !== "function") || exports === null) return undefined;
    const isModule = Object.values(this.require.cache).some((module) => module?.exports === exports);
    return isModule ? exports : undefined;
  }

  #checked(specifier: string, required: readonly string[], namespace: Namespace): Namespace {
    const missing = required.filter((name) => !(name in namespace));
    // CommonJS: names that Node could not find without running the module are on its exports object.
    const exports = missing.length || !required.length ? this.#commonJS(namespace.default) : undefined;
    const wanted = missing.length || !exports ? missing : Object.keys(exports);
    if (exports && wanted.some((name) => !(name in namespace)) && missing.every((name) => name in exports))
      return Object.create(exports, { default: { value: exports } }) as Namespace;
    if (!missing.length) return namespace;
    const has = Object.keys(namespace).slice(0, 12).join(", ") || "no exports at all";
    throw new SyntaxError(
      `The module "${specifier}" has no export named "${missing[0]}". It has: ${has}.` +
        (missing[0] === "default"
          ? ` Import names: import { ... } from "${specifier}".`
          : ` If it is a type: import { type ${missing[0]} }.`),
    );
  }
}

/** Deno's `npm:chalk@5`: the package of that name, in the version that the folder has. */
function withoutNpm(specifier: string): string {
  return specifier.replace(/^npm:\/?((?:@[^/@]+\/)?[^/@]+)(?:@[^/]*)?/, "$1");
}

/** When a file was last written, as far as the file system can tell. */
function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? `${stat.mtimeNs}:${stat.size}` : "gone";
}

async function hook(): Promise<void> {
  (globalThis as Record<symbol, unknown>)[Symbol.for("lensor.guard")] = {
    stop: flag,
    reason: new Interrupt(),
    tick() {
      if (isPending(flag)) throw new Interrupt();
      currentRun()?.tick();
    },
    caught(error: unknown) {
      if (Interrupt.is(error)) throw error;
    },
  };
  (await import("./hooks.ts")).registerLoader({ guarded: true });
}
