// The binding model on random notebooks: a program cut into cells means what it means in one piece, and running cells
// again from the top changes nothing.

import fc from "fast-check";
import { expect, test } from "vitest";
import { Notebook } from "./notebook.ts";

const names = ["a", "b", "c"];
const name = fc.constantFrom(...names);
const operand = fc.oneof(name, fc.integer({ min: 0, max: 9 }).map(String));

/** Straight-line statements over three names, some through loops, functions, patterns and shorthand. */
const statement = fc.oneof(
  fc.tuple(name, operand, operand).map(([x, l, r]) => `${x} = ${l} * 3 + ${r};`),
  fc.tuple(name, operand).map(([x, l]) => `${x} += ${l};`),
  name.map((x) => `${x}++;`),
  fc.tuple(name, name).map(([x, y]) => `[${x}, ${y}] = [${y}, ${x}];`),
  fc.tuple(name, name).map(([x, y]) => `({ ${x} } = { ${x}: ${y} });`),
  fc.tuple(name, operand).map(([x, l]) => `for (let i = 0; i < 2; i++) { ${x} = ${x} + ${l} }`),
  fc.tuple(name, name).map(([x, y]) => `${x} = ((${y}: number) => ${y} + 1)(${y});`),
  fc.tuple(name, name).map(([x, y]) => `if (${x} > ${y}) { const ${x} = 1; ${y} = ${x} } else ${x} = ${y};`),
  fc.tuple(name, name).map(([x, y]) => `try { throw ${x} } catch (${y}) { ${x} = ${y} - 1 }`),
);

const program = fc.array(fc.tuple(statement, fc.boolean()), { maxLength: 12 });
const start = `let ${names.map((n, i) => `${n}: number = ${i + 1}`).join(", ")};`;
const values = `[${names.join(", ")}]`;

/** Cells: a new one begins wherever the flag says. */
function cut(statements: readonly (readonly [string, boolean])[]): string[] {
  const cells: string[] = [start];
  for (const [text, begins] of statements)
    if (begins) cells.push(text);
    else cells[cells.length - 1] += `\n${text}`;
  return cells;
}

test("cells in order give what one cell gives", async () => {
  await fc.assert(
    fc.asyncProperty(program, async (statements) => {
      const whole = await new Notebook().run([start, ...statements.map(([text]) => text), values].join("\n"));
      const notebook = new Notebook();
      for (const cell of cut(statements)) await notebook.run(cell);
      expect(await notebook.run(values)).toEqual(whole);
    }),
    { numRuns: 150 },
  );
});

test("running any cells again, then all from the top, gives the same", async () => {
  await fc.assert(
    fc.asyncProperty(program, fc.array(fc.nat()), async (statements, again) => {
      const notebook = new Notebook();
      const cells = [...cut(statements), values];
      const all = async (): Promise<unknown> => {
        let last: unknown;
        for (const [i, cell] of cells.entries()) last = await notebook.run(cell, `cell-${i}`);
        return last;
      };
      const first = await all();
      for (const i of again) await notebook.run(cells[i % cells.length]!, `cell-${i % cells.length}`);
      expect(await all()).toEqual(first);
    }),
    { numRuns: 80 },
  );
});
