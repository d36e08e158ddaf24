// What stands at the cursor: the chain of names before it, the name being typed, the module of an import.
// Works on text alone, so that half-typed code is no obstacle. Offsets are UTF-16 units.

export interface AtCursor {
  /** The keys before the last dot, `["model", "layers", "0"]` in `model.layers[0].wid|`; empty for a bare name. */
  readonly chain: readonly string[];
  /** What is typed of the last name. */
  readonly prefix: string;
  /** Where that name starts and (with what follows the cursor) ends. */
  readonly start: number;
  readonly end: number;
  /** The module whose export is being named: `import { re| } from "node:fs"`. */
  readonly module?: string;
}

const NAME = String.raw`[\p{ID_Start}$_][\p{ID_Continue}$]*`;
const INDEX = String.raw`\[(?:\d+|"[^"\n]*"|'[^'\n]*')\]`;
const CHAIN = new RegExp(String.raw`((?:${NAME}(?:${INDEX})*\s*\??\.\s*)*)(${NAME})?$`, "u");
const LINK = new RegExp(String.raw`(${NAME})|\[(\d+)\]|\["([^"]*)"\]|\['([^']*)'\]`, "gu");

/** Undefined where nothing can be completed: inside a string, a comment or a number. */
export function atCursor(code: string, cursor: number): AtCursor | undefined {
  const before = code.slice(0, cursor);
  const rest = /^[\p{ID_Continue}$]*/u.exec(code.slice(cursor))![0];
  if (!inCode(before)) return undefined;
  const found = CHAIN.exec(before)!;
  const prefix = found[2] ?? "";
  const start = cursor - prefix.length;
  const end = cursor + rest.length;
  const dots = found[1]!;
  const ahead = before.slice(0, found.index);
  // A dot after something that is not a plain chain, `f().x` or `1.5`, cannot be followed without running code.
  if (/[\])"'`\d]\s*\??\.\s*$/.test(before.slice(0, start)) && !dots) return undefined;
  if (/[.\])]\s*$/.test(ahead) && dots && /\.\s*$/.test(ahead)) return undefined;
  const chain = [...dots.matchAll(LINK)].map((link) => link.slice(1).find((key) => key !== undefined)!);
  const module = chain.length ? undefined : importedModule(code, start);
  return { chain, prefix, start, end, ...(module ? { module } : {}) };
}

/** The whole name under the cursor with what stands before its dot, for inspection. */
export function nameUnder(code: string, cursor: number): string[] {
  const rest = /^[\p{ID_Continue}$]*/u.exec(code.slice(cursor))![0];
  const end = cursor + rest.length;
  let found = atCursor(code, end);
  // The cursor behind a call's bracket asks for the function: `f(|` and `f(1|)`.
  if (found && !found.prefix) {
    const call = new RegExp(String.raw`(${NAME}(?:\.${NAME})*)\s*\([^()]*$`, "u").exec(code.slice(0, cursor));
    if (call) found = atCursor(code, call.index + call[1]!.length);
  }
  return found?.prefix ? [...found.chain, found.prefix] : [];
}

function importedModule(code: string, at: number): string | undefined {
  const opening = code.lastIndexOf("{", at);
  const head = opening < 0 ? "" : code.slice(0, opening);
  if (!/\bimport\s+(?:[\p{ID_Continue}$]+\s*,\s*)?$/u.test(head) || code.slice(opening, at).includes("}"))
    return undefined;
  return /^[^}]*\}\s*from\s*["']([^"']+)["']/.exec(code.slice(at))?.[1];
}

/** Whether the end of this text stands in code, and not in a string, template text, comment or number. */
function inCode(text: string): boolean {
  type State = "code" | "'" | '"' | "`" | "//" | "/*";
  const templates: number[] = [];
  let state: State = "code";
  let braces = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    const two = text.slice(i, i + 2);
    if (state === "code") {
      if (two === "//" || two === "/*") state = two;
      else if (c === "'" || c === '"' || c === "`") state = c;
      else if (c === "{") braces++;
      else if (c === "}") {
        if (templates.at(-1) === braces) {
          templates.pop();
          state = "`";
        } else braces--;
      }
    } else if (state === "//") {
      if (c === "\n") state = "code";
    } else if (state === "/*") {
      if (two === "*/") {
        state = "code";
        i++;
      }
    } else if (c === "\\") i++;
    else if (c === state || (c === "\n" && state !== "`")) state = "code";
    else if (state === "`" && two === "${") {
      templates.push(braces);
      state = "code";
      i++;
    }
  }
  return state === "code" && !/(?<![\p{ID_Continue}$])\d[\w.]*$/u.test(text);
}
