// TypeScript's language server as a process: found in the installed `typescript`, started when first needed, started anew
// when it has died, ended with the kernel. Relies on the package's native binary for this platform; runs no shell, writes no file.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../session/root.ts";
import { Connection } from "./rpc.ts";

/** A server that is silent for so long is ended, and the next question starts another. */
const ANSWER_MS = 60_000;
/** After so many deaths within a minute it is left alone for a minute. */
const DEATHS = 4;
const PAUSE_MS = 60_000;

export interface ServerOptions {
  /** The notebook's folder. */
  readonly folder: string;
  /** The file name that stands for `tsconfig.json`. */
  readonly configuration: string;
}

export class LanguageServer {
  readonly #options: ServerOptions;
  readonly #deaths: number[] = [];
  #process: ChildProcess | undefined;
  #connection: Promise<Connection> | undefined;
  #closed = false;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** Undefined before it is first needed, and while it is dead. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** The conversation with the server, which is started where none runs. Each has to be told everything. */
  async connect(): Promise<Connection> {
    this.#connection ??= this.#start();
    const connection = await this.#connection;
    if (connection.isOpen) return connection;
    // Its pipes have closed, and its end has not been told yet.
    this.#process?.kill("SIGKILL");
    this.#connection = this.#start();
    return this.#connection;
  }

  ask<Result>(connection: Connection, method: string, params: unknown): Promise<Result> {
    return connection.request<Result>(method, params, ANSWER_MS);
  }

  close(): void {
    this.#closed = true;
    this.#process?.kill("SIGKILL");
  }

  async #start(): Promise<Connection> {
    try {
      return await this.#open();
    } catch (error) {
      this.#connection = undefined;
      throw error;
    }
  }

  async #open(): Promise<Connection> {
    const now = performance.now();
    const recent = this.#deaths.filter((time) => now - time < PAUSE_MS);
    if (this.#closed) throw new Error("The kernel has ended.");
    if (recent.length >= DEATHS)
      throw new Error(`The language server died ${recent.length} times within a minute; it rests for one.`);
    const { folder, configuration } = this.#options;
    const child = spawn(executable(), ["--lsp", "--stdio"], {
      cwd: folder,
      stdio: ["pipe", "pipe", "ignore"],
      windowsHide: true,
    });
    this.#process = child;
    const connection = new Connection(child.stdout, child.stdin, () => child.kill("SIGKILL"));
    const died = (why: string): void => {
      connection.end(why);
      this.#deaths.push(performance.now());
      if (this.#process !== child) return;
      this.#process = undefined;
      this.#connection = undefined;
    };
    child.once("error", (error) => died(error.message));
    child.once("exit", (code, signal) => died(signal ?? `exit code ${code}`));
    this.#yieldMemory(child.pid);
    await this.ask(connection, "initialize", {
      processId: process.pid,
      rootUri: pathToFileURL(folder).href,
      capabilities: {
        textDocument: {
          completion: {
            completionItem: { labelDetailsSupport: true },
            completionList: { itemDefaults: ["editRange"] },
          },
          hover: { contentFormat: ["markdown"] },
          signatureHelp: { signatureInformation: { documentationFormat: ["markdown"] } },
          diagnostic: {},
        },
      },
      initializationOptions: {
        disablePushDiagnostics: true,
        // The folder's own tsconfig.json may mean a whole project: only cells and what they import are looked at.
        userPreferences: { customConfigFileName: configuration, disableAutomaticTypeAcquisition: true },
      },
    });
    connection.notify("initialized", {});
    return connection;
  }

  /** Under memory pressure the system should end this process first: it comes back by itself. */
  #yieldMemory(pid: number | undefined): void {
    try {
      writeFileSync(`/proc/${pid}/oom_score_adj`, "700");
    } catch {
      // Not Linux, or not allowed: nothing depends on it.
    }
  }
}

/** The compiler's native binary. npm installs the one for this platform beside the package, as an optional dependency. */
export function executable(): string {
  const { platform, arch } = process;
  const require = createRequire(join(packageRoot(), "package.json"));
  const name = `@typescript/typescript-${platform}-${arch}`;
  try {
    const typescript = createRequire(require.resolve("typescript/package.json"));
    const file = join(
      dirname(typescript.resolve(`${name}/package.json`)),
      "lib",
      platform === "win32" ? "tsc.exe" : "tsc",
    );
    if (existsSync(file)) return file;
  } catch {
    // Told below.
  }
  throw new Error(
    `TypeScript's language server for ${platform}-${arch} is not installed: expected the package ${name} beside typescript. Install lensor anew without --omit=optional.`,
  );
}
