// Each cell as the type checker sees it: a module whose imports of other cells stand after its text, so that places stay as typed.
// A name means its nearest definition above, as when cells run. Relies on texts.ts for the cells, on outline.ts for their names.

import { expandMagics, MagicError } from "../compile/magics.ts";
import { closing } from "./complete-code.ts";
import { type Outline, outlineOf } from "./outline.ts";
import type { CellText, Texts } from "./texts.ts";

/** By name: the file of the cell that defines it. */
type Visible = Map<string, string>;

const outlines = new WeakMap<CellText, Outline>();

function outline(cell: CellText): Outline {
  const known = outlines.get(cell) ?? outlineOf(written(cell.text));
  outlines.set(cell, known);
  return known;
}

/** A text with its magics as TypeScript, line by line; one whose magics are wrong as it stands. */
function written(text: string): string {
  try {
    return expandMagics(text);
  } catch (error) {
    if (error instanceof MagicError) return text;
    throw error;
  }
}

/** Every cell's file with the text of its module. */
export function modulesOf(texts: Texts): Map<string, string> {
  const modules = new Map(texts.unused.map((file) => [file, "export{}"]));
  const visible = below(texts);
  for (const cell of texts) {
    modules.set(cell.file, moduleOf(written(cell.text), outline(cell), visible));
    show(cell, visible);
  }
  return modules;
}

/** The module of a text that is being typed: the cell it most likely belongs to, or a new one at the end. */
export function draftOf(texts: Texts, draft: string): string {
  const text = written(draft);
  const at = placeOf(texts, draft);
  const visible = below(texts);
  for (const cell of texts) {
    if (cell === at) break;
    show(cell, visible);
  }
  // The name at the cursor is not there yet: it may become any that can be seen. Brackets that are still open would
  // swallow what follows.
  const words = new Set(visible.keys());
  return moduleOf(`${text}\n${closing(text)}`, { ...outlineOf(text), words }, visible);
}

function show(cell: CellText, visible: Visible): void {
  for (const name of defined(outline(cell), visible)) visible.set(name, cell.file);
}

/** Where the order is a guess, a name that no cell above defines is taken from below, as when cells run. */
function below(texts: Texts): Visible {
  const names: Visible = new Map();
  if (texts.ordered) return names;
  for (const cell of texts) for (const name of outline(cell).defines) names.set(name, cell.file);
  return names;
}

/** The cell that a text is a version of: it shares its beginning and its end with most of what the cell holds. */
function placeOf(texts: Texts, draft: string): CellText | undefined {
  let best: CellText | undefined;
  let most = 0;
  for (const cell of texts) {
    if (cell.unnamed) continue;
    if (cell.text === draft) return cell;
    const shared = sharedEnds(cell.text, draft);
    if (shared < most || shared < 3 || 2 * shared < Math.max(cell.text.length, draft.length)) continue;
    most = shared;
    best = cell;
  }
  return best;
}

function sharedEnds(a: string, b: string): number {
  const least = Math.min(a.length, b.length);
  let start = 0;
  while (start < least && a[start] === b[start]) start++;
  let end = 0;
  while (end < least - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return start + end;
}

/** What cells below see of a cell: its own names, and those of others that it assigns. */
function* defined({ defines, assigns }: Outline, visible: Visible): Generator<string> {
  yield* defines;
  for (const name of assigns) if (visible.has(name)) yield name;
}

/**
 * A cell's module: its text as typed, then what it sees of others, then what others see of it. Whoever assigns another cell's
 * name has a variable of its own that starts with the other's value: of the type that `let name = value` would have.
 */
function moduleOf(text: string, outline: Outline, visible: Visible): string {
  const { defines, exported, assigns, words } = outline;
  const after: string[] = [];
  for (const name of words) {
    const file = visible.get(name);
    if (file === undefined || defines.has(name)) continue;
    if (assigns.has(name))
      after.push(
        `import{${name} as $lensor_${name}}from"./${file}";`,
        `function $lensor_of_${name}(){let v=$lensor_${name};return v}`,
        `declare let ${name}:ReturnType<typeof $lensor_of_${name}>;`,
      );
    else after.push(`import{${name}}from"./${file}";`);
  }
  const names = [...defined(outline, visible)].filter((name) => !exported.has(name));
  return `${text}\n;${after.join("")}export{${names.join(",")}}`;
}
