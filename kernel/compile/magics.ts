// Magics, the lines with which a cell may begin (`%npm install lodash`, `%%html`), and `?name`: written out as TypeScript that
// calls the session. Pure, and keeps every line where it is, so that errors and tracebacks point right.
// Only the beginning of a cell is looked at: further down a `%` is arithmetic.

/** What runs: the session's own functions, out of the way of any name a person may choose. */
const SESSION = `globalThis[Symbol.for("lensor.magic")]`;

/** The rest of the cell is no TypeScript but this. */
const SHOWN: ReadonlyMap<string, string> = new Map([
  ["html", "text/html"],
  ["markdown", "text/markdown"],
  ["javascript", "application/javascript"],
]);
const TAKING = new Set(["%env", "%npm"]);
const BARE = new Set(["%reset", "%who", "%%time", ...[...SHOWN.keys()].map((name) => `%%${name}`)]);

/** A magic that there is not, or that is written wrong. `offset` is where it stands. */
export class MagicError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const HELP = /^(?:\?\s*([\p{ID_Continue}$.]+)|([\p{ID_Start}$_][\p{ID_Continue}$.]*)\s*\?)$/u;
const MAGIC = /^[ \t]*(%%?)[ \t]*([\p{ID_Continue}-]*)[ \t]*(.*?)[ \t]*\r?$/u;

/** @throws MagicError */
export function expandMagics(source: string): string {
  return read(source).text;
}

/** Whether a cell begins with `%reset`: what others have defined is gone before it runs. */
export function asksReset(source: string): boolean {
  try {
    return source.includes("reset") && read(source).resets;
  } catch {
    return false;
  }
}

function read(source: string): { text: string; resets: boolean } {
  // Most cells have none, and pay for one look.
  if (!/^\s*(?:[%?]|\/\/)|\?\s*$/.test(source)) return { text: source, resets: false };
  const help = HELP.exec(source.trim());
  if (help) {
    const asked = `await ${call("help", help[1] ?? help[2]!)}`;
    return { text: source.replace(source.trim(), () => asked), resets: false };
  }
  const lines = source.split("\n");
  let resets = false;
  let offset = 0;
  for (const [i, line] of lines.entries()) {
    const magic = MAGIC.exec(line);
    if (!magic && !/^\s*(?:\/\/.*)?$/.test(line)) break;
    if (magic) {
      const [, sign, name, rest] = magic as unknown as [string, string, string, string];
      const type = sign === "%%" ? SHOWN.get(name) : undefined;
      lines[i] =
        type && !rest ? call("show", type, lines.slice(i + 1).join("\n")) : lineOf(sign, name, rest, offset);
      if (type) lines.fill("", i + 1);
      resets ||= sign + name === "%reset";
    }
    offset += line.length + 1;
  }
  return { text: lines.join("\n"), resets };
}

function lineOf(sign: string, name: string, rest: string, offset: number): string {
  const magic = sign + name;
  if (TAKING.has(magic)) return `await ${call(name, rest)};`;
  if (!BARE.has(magic))
    throw new MagicError(`There is no magic ${magic}. There are ${[...TAKING, ...BARE].join(", ")}`, offset);
  if (rest) throw new MagicError(`${magic} takes nothing beside its name`, offset);
  return magic === "%reset" ? "" : `await ${call(name)};`;
}

function call(name: string, ...texts: string[]): string {
  return `${SESSION}.${name}(${texts.map((text) => JSON.stringify(text)).join(",")})`;
}
