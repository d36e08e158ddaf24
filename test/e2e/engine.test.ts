// The notebooks on the engine and on caches, run whole in a real JupyterLab: no error, every figure drawn, nothing asked of a network. What
// they say is tested in test/notebooks; this is how it looks, and leaves pictures under test/output.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../kernel/cli/setup/paths.mjs";
import { browserPath, drawnMarks, openLab, pictures, runAll } from "./lab.ts";

const plotly = "application/vnd.plotly.v1+json";

describe.skipIf(!browserPath)("in JupyterLab (needs Chromium)", () => {
  // Those that take minutes; test/notebooks runs them each time, and their figures have tests of their own.
  const slow = process.env.LENSOR_FULL ? ["04-attention", "05-kv-cache"] : [];
  test.each(["02-tensors", "03-fast", ...slow])(
    "%s",
    async (name) => {
      const lab = await openLab(join(root, `notebooks/${name}.ipynb`), join(root, "notebooks/alice.txt"));
      try {
        const outputs = (await runAll(lab.page, 480_000)).flat();
        const errors = outputs.filter(({ output_type }) => output_type === "error");
        expect(errors.map(({ ename, evalue }) => `${ename}: ${evalue}`)).toEqual([]);
        const figures = outputs.filter(({ data }) => data && plotly in data).length;
        expect(figures).toBeGreaterThanOrEqual(3);
        expect((await drawnMarks(lab.page, figures)).filter((count) => count === 0)).toEqual([]);
        await pictures(lab.page, name, "JupyterLab Light");
        await pictures(lab.page, name, "JupyterLab Dark");
        expect(lab.foreign).toEqual([]);
      } finally {
        await lab.stop();
      }
    },
    700_000,
  );
});
