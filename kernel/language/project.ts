// What the type checker takes for a project: a configuration that exists in memory alone, the names that every cell has, and
// the root that all cells hang from. Relies on where this package and Node's types are installed. Says what cells run on: Node,
// without a page, with decorators and modules as the session compiles them.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { packageRoot } from "../session/root.ts";
import type { OwnOptions } from "./tsconfig.ts";

export const CONFIGURATION = "lensor-notebook.json";
export const GLOBALS = "lensor-globals.d.ts";
export const ROOT = "lensor-cells.ts";
/** The text at somebody's cursor. */
export const DRAFT = "lensor-draft.ts";

const GLOBAL_NAMES = `
/** Shows a value in the output of the cell whose code is running. */
declare const display: {
  (value: unknown, options?: { id?: string }): Promise<void>;
  /** Replaces what is shown under an id. */
  update(id: string, value: unknown): Promise<void>;
  /** Clears the cell's output; with \`wait\`, when the next output comes. */
  clear(options?: { wait?: boolean }): void;
};
/** Asks the person in front of the notebook for a line of text. */
declare function prompt(text?: unknown, options?: { password?: boolean }): Promise<string>;
/** Runs a command and shows what it prints. It throws where the command fails. */
declare const sh: {
  (command: TemplateStringsArray, ...values: unknown[]): Promise<void>;
  /** Runs a command and gives what it prints. */
  text(command: TemplateStringsArray, ...values: unknown[]): Promise<string>;
};
/** Resolves when this cell is run again or deleted: what it left running should end. */
declare const invalidation: Promise<void>;
/** The display helpers of Deno's notebooks. */
declare const Deno: { readonly jupyter: any };
`;

/** The project's files that stay the same while a notebook is open. @param own What the person's own configuration says. */
export function projectFiles(own: OwnOptions): [file: string, text: string][] {
  return [
    [CONFIGURATION, JSON.stringify(configuration(own))],
    [GLOBALS, GLOBAL_NAMES],
  ];
}

/** The root's text: it leads to every cell. */
export function rootOf(files: Iterable<string>): string {
  return [...files, ""].map((file) => (file ? `import"./${file}";` : "export{}")).join("\n");
}

function configuration(own: OwnOptions): object {
  const require = createRequire(join(packageRoot(), "package.json"));
  const ours = (...files: string[]) => files.map((file) => join(packageRoot(), file)).filter(existsSync);
  return {
    compilerOptions: {
      target: "esnext",
      lib: [...libraries(), ...own.lib],
      module: "esnext",
      moduleResolution: "bundler",
      moduleDetection: "force",
      types: ["node", ...own.types],
      typeRoots: [dirname(dirname(require.resolve("@types/node/package.json"))), ...own.typeRoots],
      // What the session itself stands in for, wherever the folder is.
      paths: {
        ...own.paths,
        lensor: ours("dist/lib/index.d.ts", "lib/index.ts"),
        tslab: ours("dist/kernel/session/tslab.d.ts", "kernel/session/tslab.ts"),
      },
      strict: true,
      ...own.flags,
      experimentalDecorators: true,
      useDefineForClassFields: true,
      allowJs: true,
      resolveJsonModule: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      noEmit: true,
    },
    typeAcquisition: { enable: false },
    files: [GLOBALS, ROOT, DRAFT],
  };
}

/** What this Node has of the language's library, and what the session adds to it. */
function libraries(): string[] {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= 24) return ["esnext"];
  return major >= 22
    ? ["es2024", "esnext.iterator", "esnext.collection", "esnext.disposable"]
    : ["es2023", "esnext.disposable"];
}
