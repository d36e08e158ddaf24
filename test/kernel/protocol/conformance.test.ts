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
    // None skipped: every attribute that its tests look at is filled in.
    expect(stderr).toMatch(/Ran 13 tests in [\d.]+s\s+OK\s*$/);
  } finally {
    remove();
  }
}, 120_000);
