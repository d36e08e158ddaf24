// The session as the protocol sees it: the child process for running, its memory of names for answers while it computes.
// Relies on process.ts and kernel/language. Loads the parser only when a console asks whether code is complete.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LanguageInfo, Session } from "../protocol/session.ts";
import { Comms } from "./comms.ts";
import { type SessionOptions, SessionProcess } from "./process.ts";
import { connectNotebook } from "./reactive.ts";
import { packageRoot } from "./root.ts";

/** An idle child answers within a few milliseconds; after this it counts as busy. */
const PATIENCE_MS = 250;

type Completion = Awaited<ReturnType<Session["complete"]>>;
type Inspection = Awaited<ReturnType<Session["inspect"]>>;

export function openSession(options: SessionOptions = {}): Session & { readonly process: SessionProcess } {
  const comms = new Comms();
  const child = new SessionProcess({ ...options, comms });
  const notebook = connectNotebook(child, comms);
  const language = async () => (await import("./remembered.ts")).remembered(child.names);
  return {
    process: child,
    info: languageInfo(),
    comms,
    async execute(request, frontend) {
      const begun = await notebook.begin(request);
      // Of an open notebook it is known which cells there are: a deletion that was undone must not take its values.
      const failure = await child.execute(begun ? { ...request, deleted: [], ...begun } : request, frontend);
      return begun ? notebook.end(failure) : { failure };
    },
    aborted: (cell) => notebook.aborted(cell),
    async complete(code, cursor) {
      const answer = (await child.ask("complete", code, cursor, PATIENCE_MS)) as Completion | undefined;
      return answer ?? (await language()).complete(code, cursor);
    },
    async inspect(code, cursor) {
      const answer = (await child.ask("inspect", code, cursor, PATIENCE_MS)) as Inspection | undefined;
      return answer ?? (await language()).inspect(code, cursor);
    },
    async isComplete(code) {
      return (await import("../language/complete-code.ts")).completeness(code);
    },
    interrupt() {
      notebook.interrupted();
      child.interrupt();
    },
    close() {
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
