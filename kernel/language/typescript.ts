// Completion, hover, signatures and diagnostics of cells, from TypeScript's own language server.
// Relies on modules.ts for what the cells are and on server.ts for somebody to ask. Knows no values: that is language.ts.
// One question at a time, since each may be about another text at the cursor.

import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type CompletionList, matchesOf, type TypedCompletion } from "./matches.ts";
import { draftOf, modulesOf } from "./modules.ts";
import { declarationAt, offsetAt, type Position, positionAt, type Range } from "./positions.ts";
import { CONFIGURATION, DRAFT, projectFiles, ROOT, rootOf } from "./project.ts";
import type { Connection } from "./rpc.ts";
import { executable, LanguageServer } from "./server.ts";
import type { Texts } from "./texts.ts";
import { ownOptions } from "./tsconfig.ts";
import { type Hover, hoverText, type SignatureHelp, signatureText } from "./words.ts";

/** A mistake that the type checker finds in a cell's text; offsets are UTF-16 units. */
export interface Diagnostic {
  readonly code: number;
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

interface LspDiagnostic {
  readonly range: Range;
  readonly severity?: number;
  readonly code?: number;
  readonly message: string;
}

interface Location {
  readonly uri: string;
  readonly range: Range;
}

const ERROR = 1;
/**
 * A cell is often a draft: that a parameter has no type, or a package none, is no mistake in it. The option that asks for these
 * stays on, since without it `const rows = []` could never be filled.
 */
const isUntyped = (code: number): boolean => code >= 7005 && code <= 7057 && !(code >= 7027 && code <= 7030);
/** A file from which a declaration is shown is no larger. */
const MOST_BYTES = 4_000_000;

export class TypeScript {
  readonly #cells: Texts;
  readonly #folder: string;
  readonly #server: LanguageServer;
  /** What each server has been told: by file, its text and how often it changed. */
  readonly #told = new WeakMap<Connection, Map<string, { text: string; version: number }>>();
  #turn: Promise<unknown> = Promise.resolve();
  #problem: string | undefined;

  /** @param folder The notebook's folder. */
  constructor(folder: string, cells: Texts) {
    this.#cells = cells;
    this.#folder = folder;
    this.#server = new LanguageServer({ folder, configuration: CONFIGURATION });
  }

  /** The server's process id; undefined while none runs. */
  get pid(): number | undefined {
    return this.#server.pid;
  }

  /** What is wrong with the folder's own tsconfig.json, in a line; known once something was asked. */
  get problem(): string | undefined {
    return this.#problem;
  }

  complete(code: string, cursor: number): Promise<TypedCompletion> {
    return this.#ask(async (connection) => {
      const at = this.#draft(connection, code, cursor);
      const list = await this.#server.ask<CompletionList | null>(connection, "textDocument/completion", at);
      return matchesOf(list, code, cursor);
    });
  }

  /** What a name is, as Markdown: its type and documentation, with `detail` also its declaration. Undefined where there is none. */
  inspect(code: string, cursor: number, detail: boolean): Promise<string | undefined> {
    return this.#ask(async (connection) => {
      // Behind a name's last letter it is still that name that is meant; behind a bracket, the call.
      const onName = [cursor, cursor - 1].find((at) => /[\p{ID_Continue}$]/u.test(code[at] ?? ""));
      if (onName !== undefined) {
        const at = this.#draft(connection, code, onName);
        const hover = await this.#server.ask<Hover | null>(connection, "textDocument/hover", at);
        const declaration = hover && detail ? await this.#declaration(connection, at) : "";
        if (hover) return [hoverText(hover), declaration].filter(Boolean).join("\n\n");
      }
      const at = this.#draft(connection, code, cursor);
      const help = await this.#server.ask<SignatureHelp | null>(connection, "textDocument/signatureHelp", at);
      return help ? signatureText(help) : undefined;
    });
  }

  /** The mistakes in a cell, first one first; none for a cell that is not there. */
  diagnose(cell: string): Promise<readonly Diagnostic[]> {
    return this.#ask(async (connection) => {
      const known = this.#cells.get(cell);
      if (!known) return [];
      const report = await this.#server.ask<{ items?: LspDiagnostic[] }>(
        connection,
        "textDocument/diagnostic",
        { textDocument: { uri: this.#uri(known.file) } },
      );
      return diagnosticsIn(known.text, report.items ?? []);
    });
  }

  close(): void {
    this.#server.close();
  }

  /** Asks in turn; once more where the server died of it, or was dead already. */
  #ask<T>(question: (connection: Connection) => Promise<T>): Promise<T> {
    const answer = this.#turn.then(async () => {
      const connection = await this.#server.connect();
      try {
        return await this.#put(connection, question);
      } catch (error) {
        if (connection.isOpen) throw error;
        return this.#put(await this.#server.connect(), question);
      }
    });
    this.#turn = answer.catch(() => {});
    return answer;
  }

  #put<T>(connection: Connection, question: (connection: Connection) => Promise<T>): Promise<T> {
    this.#tellAll(connection);
    return question(connection);
  }

  /** Brings the server's files up to what the cells are now. */
  #tellAll(connection: Connection): void {
    const modules = modulesOf(this.#cells);
    if (!this.#told.has(connection)) {
      this.#told.set(connection, new Map());
      const own = ownOptions(this.#folder, dirname(executable()));
      this.#problem = own.problem;
      for (const [file, text] of projectFiles(own)) this.#tell(connection, file, text);
    }
    const told = this.#told.get(connection)!;
    this.#tell(connection, ROOT, rootOf(modules.keys()));
    if (!told.has(DRAFT)) this.#tell(connection, DRAFT, "export{}");
    for (const [file, text] of modules) this.#tell(connection, file, text);
  }

  #draft(connection: Connection, code: string, offset: number): object {
    this.#tell(connection, DRAFT, draftOf(this.#cells, code));
    return { textDocument: { uri: this.#uri(DRAFT) }, position: positionAt(code, offset) };
  }

  #tell(connection: Connection, file: string, text: string): void {
    const told = this.#told.get(connection)!;
    const known = told.get(file);
    if (known?.text === text) return;
    const version = (known?.version ?? 0) + 1;
    told.set(file, { text, version });
    const uri = this.#uri(file);
    if (known)
      connection.notify("textDocument/didChange", {
        textDocument: { uri, version },
        contentChanges: [{ text }],
      });
    else
      connection.notify("textDocument/didOpen", {
        textDocument: { uri, languageId: file.endsWith(".json") ? "json" : "typescript", version, text },
      });
  }

  #uri(file: string): string {
    return pathToFileURL(join(this.#folder, file)).href;
  }

  async #declaration(connection: Connection, at: object): Promise<string | undefined> {
    const found = await this.#server.ask<Location | Location[] | null>(
      connection,
      "textDocument/definition",
      at,
    );
    const [location] = Array.isArray(found) ? found : found ? [found] : [];
    if (!location?.uri.startsWith("file:")) return undefined;
    const path = fileURLToPath(location.uri);
    const own = this.#told.get(connection)!.get(basename(path));
    const text = own && path === join(this.#folder, basename(path)) ? own.text : await textOf(path);
    const declaration = text === undefined ? undefined : declarationAt(text, location.range.start.line);
    return declaration && `\`\`\`ts\n${declaration}\n\`\`\``;
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    return bytes.length <= MOST_BYTES && isUtf8(bytes) ? bytes.toString() : undefined;
  } catch {
    return undefined;
  }
}

/** Errors alone, each once. What stands behind the cell's own text can only mean that something is missing at its end. */
function diagnosticsIn(text: string, items: readonly LspDiagnostic[]): Diagnostic[] {
  const found = new Map<string, Diagnostic>();
  const last: Position = positionAt(text, text.length);
  for (const { range, severity = ERROR, code = 0, message } of items) {
    if (severity !== ERROR || isUntyped(code)) continue;
    const isBehind = range.start.line > last.line;
    if (isBehind && !(code >= 1000 && code < 2000)) continue;
    const start = isBehind ? text.trimEnd().length : offsetAt(text, range.start);
    const end = isBehind ? start : Math.max(start, offsetAt(text, range.end));
    found.set(`${start}:${code}`, { code, message: withoutFiles(message), start, end });
  }
  return [...found.values()].sort((a, b) => a.start - b.start);
}

/** `import("/folder/lensor-cell-3").Point` is the person's own `Point`. */
function withoutFiles(message: string): string {
  return message.replace(/(?:typeof )?import\("[^"]*lensor-cell-\d+(?:\.ts)?"\)\.?/g, "");
}
