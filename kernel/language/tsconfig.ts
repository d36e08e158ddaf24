// What a person's own tsconfig.json beside the notebook says of types: how strictly cells are checked, and where types are
// found. The rest of it (what to emit, which files make the project, how modules work) is about another program than a notebook,
// and stays out. Relies on the file system; what cannot be read is said in one line, and the defaults hold.

import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { parseJsonc } from "./jsonc.ts";

/** Options of the checker, with absolute paths. */
export interface OwnOptions {
  readonly flags: Readonly<Record<string, boolean>>;
  /** Beyond the language itself, whose version is that of the Node which runs the cells: "dom", say. */
  readonly lib: readonly string[];
  readonly types: readonly string[];
  readonly typeRoots: readonly string[];
  readonly paths: Readonly<Record<string, readonly string[]>>;
  /** One line: what is wrong with it, and that the defaults hold. */
  readonly problem?: string;
}

const NONE: OwnOptions = { flags: {}, lib: [], types: [], typeRoots: [], paths: {} };
const FLAGS =
  "strict alwaysStrict noImplicitAny noImplicitThis noImplicitReturns noImplicitOverride strictNullChecks strictFunctionTypes strictBindCallApply strictBuiltinIteratorReturn strictPropertyInitialization useUnknownInCatchVariables exactOptionalPropertyTypes noUncheckedIndexedAccess noPropertyAccessFromIndexSignature noFallthroughCasesInSwitch allowUnreachableCode allowUnusedLabels".split(
    " ",
  );
const FILE = "tsconfig.json";
const MOST_BYTES = 1_000_000;
/** Files that one leads to by `extends`, itself among them: one that leads back to itself leads through more. */
const MOST_FILES = 32;
const MOST_ENTRIES = 500;

type Json = Readonly<Record<string, unknown>>;

/** @param libraries Where the checker has its `lib.dom.d.ts` and the others. */
export function ownOptions(folder: string, libraries: string): OwnOptions {
  const file = join(folder, FILE);
  if (!existsSync(file)) return NONE;
  try {
    const options = read(file, { files: 0 });
    const lib = options.lib.filter((name) => !/^es(\d|next)/.test(name));
    const unknown = lib.find((name) => !existsSync(join(libraries, `lib.${name}.d.ts`)));
    if (unknown !== undefined) throw new Error(`there is no library "${unknown}" in "lib"`);
    return { ...options, lib };
  } catch (error) {
    return {
      ...NONE,
      problem: `${FILE}: ${(error as Error).message}. Types are checked as if it were not there.`,
    };
  }
}

/** One file over those that it extends. */
function read(file: string, so: { files: number }): OwnOptions {
  const where = so.files ? `${file}: ` : "";
  if (++so.files > MOST_FILES)
    throw new Error(`"extends" leads through more than ${MOST_FILES} files, the last of them ${file}`);
  const { size } = statSync(file);
  if (size > MOST_BYTES) throw new Error(`${where}expected at most ${MOST_BYTES} bytes, and it has ${size}`);
  let config: unknown;
  try {
    config = parseJsonc(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(where + (error as Error).message);
  }
  if (!isRecord(config)) throw new Error(`${where}expected an object`);
  const parents = config.extends === undefined ? [] : texts([config.extends].flat(), `${where}"extends"`);
  const bases = parents.map((parent) => read(located(parent, file), so));
  const base = bases.reduce(merged, NONE);
  const { compilerOptions = {} } = config;
  if (!isRecord(compilerOptions)) throw new Error(`${where}expected "compilerOptions" to be an object`);
  return merged(base, picked(compilerOptions, dirname(file), where));
}

/** What the later one says replaces what the earlier one says, option by option, as in TypeScript. */
function merged(first: OwnOptions, second: Partial<OwnOptions>): OwnOptions {
  return { ...first, ...second, flags: { ...first.flags, ...second.flags } };
}

function picked(options: Json, folder: string, where: string): Partial<OwnOptions> {
  const found: { -readonly [Key in keyof OwnOptions]?: OwnOptions[Key] } = {};
  const flags = FLAGS.filter((name) => options[name] !== undefined).map((name) => {
    if (typeof options[name] !== "boolean") throw new Error(`${where}expected "${name}" to be true or false`);
    return [name, options[name]] as const;
  });
  found.flags = Object.fromEntries(flags);
  const list = (name: "lib" | "types" | "typeRoots"): readonly string[] | undefined =>
    options[name] === undefined ? undefined : texts(options[name], `${where}"${name}"`);
  const lib = list("lib");
  if (lib) found.lib = lib.map((name) => name.toLowerCase());
  const types = list("types");
  // A star stands for whatever is there: the server finds it by itself.
  if (types) found.types = types.filter((name) => name !== "*");
  const typeRoots = list("typeRoots");
  if (typeRoots) found.typeRoots = typeRoots.map((root) => resolve(folder, root));
  if (options.paths !== undefined) {
    if (!isRecord(options.paths)) throw new Error(`${where}expected "paths" to be an object`);
    const { baseUrl = "." } = options;
    const base = resolve(folder, texts([baseUrl], `${where}"baseUrl"`)[0]!);
    const entries = Object.entries(options.paths);
    if (entries.length > MOST_ENTRIES) throw new Error(`${where}expected at most ${MOST_ENTRIES} "paths"`);
    found.paths = Object.fromEntries(
      entries.map(([pattern, targets]) => [
        pattern,
        texts(targets, `${where}"paths" of "${pattern}"`).map((target) => resolve(base, target)),
      ]),
    );
  }
  return found;
}

function located(parent: string, from: string): string {
  const isPath = isAbsolute(parent) || /^\.{1,2}(?:[\\/]|$)/.test(parent);
  const require = createRequire(from);
  const candidates = [parent, `${parent}.json`, `${parent}/${FILE}`];
  for (const candidate of candidates) {
    if (isPath) {
      const path = resolve(dirname(from), candidate);
      if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path;
      continue;
    }
    try {
      const path = require.resolve(candidate);
      if (path.endsWith(".json")) return path;
    } catch {
      // Perhaps under one of its other names.
    }
  }
  throw new Error(`there is no "${parent}", which it extends`);
}

function texts(value: unknown, what: string): readonly string[] {
  if (
    !Array.isArray(value) ||
    value.length > MOST_ENTRIES ||
    !value.every((item) => typeof item === "string")
  )
    throw new Error(`expected ${what} to be a list of at most ${MOST_ENTRIES} texts`);
  return value as string[];
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
