// What a committed notebook is: without outputs, for our kernel, each cell with its id. Holds for every one in notebooks/.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../kernel/session/root.ts";
import { codeOf, ours, readNotebook } from "../notebook.ts";

const folder = join(packageRoot(), "notebooks");
const files = readdirSync(folder).filter((name) => name.endsWith(".ipynb"));

test.each(files)("%s is committed without outputs, for our kernel, each cell with its id", (file) => {
  const notebook = readNotebook(join(folder, file));
  expect(notebook.metadata).toMatchObject({
    kernelspec: ours,
    language_info: { name: "typescript", file_extension: ".ts", mimetype: "text/typescript" },
  });
  expect(codeOf(notebook).filter((cell) => cell.outputs?.length || cell.execution_count)).toEqual([]);
  expect(new Set(notebook.cells.map(({ id }) => id)).size).toBe(notebook.cells.length);
});
