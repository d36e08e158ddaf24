// Runs Jupyter's own conformance tests (conformance.py) against this checkout's kernel.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { jupyterFolder, needModule, python } from "../jupyter.ts";

test("jupyter_kernel_test passes", async () => {
  needModule("jupyter_kernel_test");
  const { env, remove } = jupyterFolder();
  const script = join(import.meta.dirname, "conformance.py");
  try {
    const { stderr } = await promisify(execFile)(python, [script], { env });
    expect(stderr).toMatch(/Ran 12 tests[\s\S]*OK \(skipped=1\)/);
  } finally {
    remove();
  }
}, 60_000);
