// Jupyter's command-line programs as a person types them: in a folder of their own, with this checkout's kernel as the only one.

import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { jupyterFolder, needModule, python } from "../jupyter.ts";

/** For a program of Python and a kernel, on a machine that does other things too. */
export const PATIENCE = 120_000;

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Output {
  readonly output_type: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly text?: string | readonly string[];
  readonly ename?: string;
  readonly evalue?: string;
}

export interface Ran {
  readonly cells: readonly {
    readonly source: string | readonly string[];
    readonly execution_count: number | null;
    readonly outputs: readonly Output[];
    readonly metadata: Readonly<Record<string, unknown>>;
    readonly cell_type: string;
  }[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

export class Tools {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly remove: () => void;

  /** @param modules What the tests need of the virtual environment. */
  constructor(...modules: string[]) {
    for (const name of modules) needModule(name);
    const { folder, env, remove } = jupyterFolder();
    this.folder = folder;
    this.env = env;
    this.remove = remove;
  }

  /** A program that came with the virtual environment. */
  run(name: string, ...args: string[]): Promise<Ended> {
    const { folder: cwd, env } = this;
    return new Promise((resolve) => {
      execFile(join(dirname(python), name), args, { cwd, env, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
        resolve({ status: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  }

  write(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text);
    return name;
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  notebook(name: string): Ran {
    return JSON.parse(this.read(name)) as Ran;
  }
}

export const joined = (text: string | readonly string[] | undefined): string =>
  typeof text === "string" ? text : (text ?? []).join("");

/** The text of each output: what a terminal would show. */
export const textOf = ({ data, text, ename, evalue }: Output): string =>
  ename ? `${ename}: ${evalue}` : joined((data?.["text/plain"] ?? text) as string);
