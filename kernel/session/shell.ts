// sh`...`: a command of the system's shell, its output in the cell while it runs. Relies on `sh` of POSIX.
// What stands between the values is the shell's to read: pipes, globs, variables. A value never is: it reaches the command
// through the shell's own parameters ("${1}"), so that no name of a file can become a command.

import { host } from "./host.ts";
import { write } from "./streams.ts";

/** A number, a text, or a list of them for several arguments. */
type Value = string | number | bigint | boolean | URL | readonly Value[];

/** What `sh.text` may collect. */
const MOST_CHARACTERS = 100_000_000;

export interface Script {
  readonly text: string;
  readonly values: readonly string[];
}

/** The script for `sh -c`, and the parameters it takes. */
export function scriptOf(strings: TemplateStringsArray, values: readonly Value[]): Script {
  const parameters: string[] = [];
  const reader = new Reader();
  let text = "";
  for (const [i, part] of strings.raw.entries()) {
    // The two that JavaScript needs a backslash for; every other one is the shell's.
    const piece = part.replace(/\\([`$])/g, "$1");
    reader.read(piece);
    text += piece;
    if (i === values.length) break;
    const words = listOf(values[i]!);
    const references = words.map((word) => `\${${parameters.push(word)}}`);
    text += reader.quoted(references);
  }
  return { text, values: parameters };
}

function listOf(value: Value): string[] {
  if (Array.isArray(value)) return value.flatMap(listOf);
  if (value instanceof URL && value.protocol === "file:") return [decodeURIComponent(value.pathname)];
  if (value === null || !["string", "number", "bigint", "boolean"].includes(typeof value))
    throw new TypeError(
      "sh`...`: a value should be a text, a number or a list of them, " +
        `and this one is ${value === null ? "null" : typeof value}.`,
    );
  const text = String(value);
  if (text.includes("\0"))
    throw new TypeError("sh`...`: no argument of a command can hold a zero character.");
  return [text];
}

/** Follows the shell's quotes as far as a value's place depends on them. */
class Reader {
  /** The innermost is last: bare words, quotes, or what is bare again inside of them. */
  readonly #in: ("bare" | "'" | '"' | "`" | "(" | "{")[] = ["bare"];

  read(piece: string): void {
    for (let i = 0; i < piece.length; i++) {
      const c = piece[i]!;
      const inside = this.#in.at(-1)!;
      if (inside === "'") {
        if (c === "'") this.#in.pop();
        continue;
      }
      if (c === "\\") i++;
      else if (c === "$" && (piece[i + 1] === "(" || piece[i + 1] === "{"))
        this.#in.push(piece[++i] as "(" | "{");
      else if (c === "`") {
        if (inside === "`") this.#in.pop();
        else this.#in.push("`");
      } else if (c === '"') {
        if (inside === '"') this.#in.pop();
        else this.#in.push('"');
      } else if (inside === '"') continue;
      else if (c === "'") this.#in.push("'");
      else if (c === "(") this.#in.push("(");
      else if ((c === ")" && inside === "(") || (c === "}" && inside === "{")) this.#in.pop();
    }
  }

  /** The references as they have to stand here to be taken whole. */
  quoted(references: readonly string[]): string {
    const inside = this.#in.at(-1)!;
    if (inside === '"') return references.join(" ");
    const words = references.map((reference) => `"${reference}"`).join(" ");
    return inside === "'" ? `'${words}'` : words;
  }
}

async function run(script: Script, stdout: (text: string) => void): Promise<void> {
  const { spawn } = await import("node:child_process");
  const child = spawn("sh", ["-c", script.text, "sh", ...script.values], {
    stdio: ["ignore", "pipe", "pipe"],
    signal: host.signal(),
  });
  child.stdout.setEncoding("utf8").on("data", stdout);
  child.stderr.setEncoding("utf8").on("data", (text: string) => write("stderr", text));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) =>
    child.on("error", reject).on("close", (...ended) => resolve(ended)),
  );
  if (code !== 0)
    throw new Error(
      `sh: the command ended ${signal ? `by ${signal}` : `with exit code ${code}`}: ${script.text.trim().slice(0, 200)}`,
    );
}

/** Runs a command and shows what it prints. It throws where the command fails. */
export async function sh(strings: TemplateStringsArray, ...values: Value[]): Promise<void> {
  await run(scriptOf(strings, values), (text) => write("stdout", text));
}

/** Runs a command and gives what it prints to stdout, without the last line's end. */
sh.text = async (strings: TemplateStringsArray, ...values: Value[]): Promise<string> => {
  const parts: string[] = [];
  let length = 0;
  await run(scriptOf(strings, values), (text) => {
    length += text.length;
    if (length <= MOST_CHARACTERS) parts.push(text);
  });
  if (length > MOST_CHARACTERS)
    throw new RangeError(`sh.text: the command printed ${length} characters; send so many to a file.`);
  return parts.join("").replace(/\n$/, "");
};
