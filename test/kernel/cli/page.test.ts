// The page of `lensor run --html` in a real browser, off the network: its figures are drawn, and nothing else runs.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import { packageRoot } from "../../../kernel/session/root.ts";

const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

const SAFE = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking";

test.skipIf(!browser)(
  "a page draws its figures offline, in light and dark, and runs no script of its outputs (needs Chromium)",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "lensor-page-"));
    const show = (bundle: string): string => `({ [Symbol.for("Jupyter.display")]: () => (${bundle}) })`;
    const figure = {
      data: [
        {
          type: "heatmap",
          z: [
            [1, 2],
            [3, 4],
          ],
        },
      ],
      layout: {
        height: 300,
        meta: { lensor: { light: { layout: {} }, dark: { layout: { paper_bgcolor: "rgb(1, 2, 3)" } } } },
      },
    };
    const sources = [
      show(`{ "application/vnd.plotly.v1+json": ${JSON.stringify(figure)} }`),
      show(
        `{ "text/html": "<b id=out>kept</b><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>" }`,
      ),
    ];
    const cells = sources.map((source) => ({
      cell_type: "code",
      source,
      metadata: {},
      outputs: [],
      execution_count: null,
    }));
    writeFileSync(
      join(folder, "n.ipynb"),
      JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata: {}, cells }),
    );
    const lensor = join(packageRoot(), "kernel/cli/lensor.mjs");
    await promisify(execFile)(process.execPath, [lensor, "run", "n.ipynb", "--html", "n.html"], {
      cwd: folder,
    });

    const instance = await chromium.launch({ executablePath: browser!, args: SAFE.split(" ") });
    try {
      for (const colorScheme of ["light", "dark"] as const) {
        const context = await instance.newContext({ colorScheme, offline: true });
        const page = await context.newPage();
        const requests: string[] = [];
        page.on("request", (request) => requests.push(request.url()));
        await page.goto(`file://${join(folder, "n.html")}`);
        await page.waitForSelector(".js-plotly-plot .heatmaplayer image", {
          state: "attached",
          timeout: 20_000,
        });
        const ground = await page.evaluate(
          "document.querySelector('.js-plotly-plot')._fullLayout.paper_bgcolor",
        );
        expect(ground).toBe(colorScheme === "dark" ? "rgb(1, 2, 3)" : "#fff");
        expect(await page.textContent("#out")).toBe("kept");
        expect(await page.evaluate("window.ran")).toBeUndefined();
        expect(requests.filter((url) => /^https?:/.test(url))).toEqual([]);
        await context.close();
      }
    } finally {
      await instance.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  60_000,
);
