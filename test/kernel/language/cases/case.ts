// What the language services have to know, as data: a notebook's cells, and what is said of the last of them.
// Run by typescript.test.ts, all on one server.

export interface Case {
  /** What it is about. */
  readonly about: string;
  /** Cells from top to bottom; the last is the one in question. */
  readonly cells: readonly string[];
  /** Matches that are offered; `!name` is not. */
  readonly offers?: readonly string[];
  /** Texts that the hover contains. */
  readonly says?: readonly string[];
  /** Errors in the last cell: `line:column code`, counted from one. */
  readonly errors?: readonly string[];
}

/** Files of the notebook's folder. */
export const FILES: Readonly<Record<string, string>> = {
  "helper.ts":
    "/** Doubles. */\nexport const twice = (n: number) => 2 * n;\nexport interface Shape { sides: number }\n",
  "data.json": '{ "title": "text", "rows": [1, 2] }',
  "plain.js": "/** @param {string} name */\nexport function greet(name) { return 'hi ' + name; }\n",
  "tsconfig.json": '{ "compilerOptions": { "noImplicitAny": true, "lib": ["es5"] } }',
  "package.json": '{ "dependencies": { "shapes": "1", "untyped": "1" } }',
  "node_modules/shapes/package.json":
    '{ "name": "shapes", "version": "1.0.0", "type": "module", "types": "index.d.ts", "exports": { ".": { "types": "./index.d.ts", "default": "./index.js" }, "./deep": { "types": "./deep.d.ts", "default": "./deep.js" } } }',
  "node_modules/shapes/index.d.ts":
    "/** The area of a square.\n * @param side In metres.\n */\nexport declare function squareArea(side: number): number;\nexport declare class Circle<Unit extends string = 'm'> { constructor(radius: number, unit?: Unit); radius: number; unit: Unit }\nexport interface Point { x: number; y: number }\nexport type Kind = 'round' | 'flat';\nexport declare const enum Level { Low = 1, High = 2 }\ndeclare const _default: { version: string };\nexport default _default;\n",
  "node_modules/shapes/index.js":
    "export const squareArea = (s) => s * s; export class Circle {} export default { version: '1' }\n",
  "node_modules/shapes/deep.d.ts": "export declare const depth: 3;\n",
  "node_modules/shapes/deep.js": "export const depth = 3\n",
  "node_modules/untyped/package.json": '{ "name": "untyped", "version": "1.0.0", "main": "index.js" }',
  "node_modules/untyped/index.js": "exports.anything = 1;\n",
};
