// The session as the protocol sees it: the child process for running, its memory of names for answers while it computes.
// Relies on process.ts and kernel/language. Loads the parser only when a console asks whether code is complete.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { asksReset } from "../compile/magics.ts";
import type { LanguageInfo, Session } from "../protocol/session.ts";
import { Comms } from "./comms.ts";
import { type Completion, completeBoth, inspectBoth, type Values } from "./help.ts";
import { type SessionOptions, SessionProcess } from "./process.ts";
import { connectNotebook } from "./reactive.ts";
import { packageRoot } from "./root.ts";
import { Types, typesMode } from "./types.ts";

/** An idle child answers within a few milliseconds; after this it counts as busy. */
const PATIENCE_MS = 250;

type Inspected = Awaited<ReturnType<Values["inspect"]>>;

export interface OpenSession extends Session {
  readonly process: SessionProcess;
  readonly types: Types;
}

export function openSession(options: SessionOptions = {}): OpenSession {
  const comms = new Comms();
  const child = new SessionProcess({ ...options, comms });
  const types = new Types(options.cwd ?? process.cwd(), typesMode(options.env ?? process.env));
  const notebook = connectNotebook(child, comms, types);
  const remembered = async () => (await import("./remembered.ts")).remembered(child.names);
  const values: Values = {
    async complete(code, cursor) {
      const answer = (await child.ask("complete", code, cursor, PATIENCE_MS)) as Completion | undefined;
      return answer ?? (await remembered()).complete(code, cursor);
    },
    async inspect(code, cursor) {
      const answer = (await child.ask("inspect", code, cursor, PATIENCE_MS)) as Inspected | undefined;
      return answer ?? (await remembered()).inspect(code, cursor);
    },
  };
  return {
    process: child,
    types,
    info: languageInfo(),
    comms,
    async execute(request, frontend) {
      const begun = await notebook.begin(request);
      if (asksReset(request.code)) types.reset();
      // Of an open notebook it is known which cells there are: a deletion that was undone must not take its values.
      const run = begun ? { ...request, deleted: [], ...begun } : request;
      const failure = (await types.begin(run, frontend)) ?? (await child.execute(run, frontend));
      return begun ? notebook.end(failure) : { failure };
    },
    aborted: (cell) => notebook.aborted(cell),
    complete: (code, cursor) => completeBoth(types, values, notebook.offer, code, cursor),
    inspect: (code, cursor, detail) => inspectBoth(types, values, code, cursor, detail),
    async isComplete(code) {
      return (await import("../language/complete-code.ts")).completeness(code);
    },
    interrupt() {
      notebook.interrupted();
      child.interrupt();
    },
    close() {
      types.close();
      notebook.close();
      return child.close();
    },
  };
}

function languageInfo(): LanguageInfo {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    version: string;
  };
  return {
    implementation: "lensor",
    implementationVersion: version,
    banner: `lensor ${version}: TypeScript on Node ${process.versions.node}`,
    language: {
      name: "typescript",
      version: process.versions.node,
      mimetype: "text/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      codemirror_mode: "typescript",
      nbconvert_exporter: "script",
    },
  };
}
