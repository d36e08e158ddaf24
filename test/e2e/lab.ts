// A JupyterLab of the test's own in Chromium: private state, loopback only. Says what left the loopback, so that a test can
// assert that nothing did. Relies on .venv and on the browser that `npm test` names in LENSOR_CHROMIUM.

import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { findChromium } from "../../kernel/cli/setup/chromium.mjs";
import { jupyterArguments, jupyterEnvironment } from "../../kernel/cli/setup/jupyter.mjs";
import { paths, root } from "../../kernel/cli/setup/paths.mjs";
import { serverUrl } from "../kernel/jupyter.ts";

export const output = join(root, "test/output");
export const browserPath: string | undefined = process.env.LENSOR_CHROMIUM || findChromium();

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
flags.push("--disable-background-networking", "--disable-component-update", "--disable-sync");

export interface Lab {
  readonly page: Page;
  /** Addresses that were asked for and are not on this machine. */
  readonly foreign: readonly string[];
  stop(): Promise<void>;
}

/** A Python with JupyterLab, and what its process is told besides. */
export interface Jupyterlab {
  readonly python: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Opens a copy of a notebook, so that running it changes nothing that is committed. Copies of others lie beside it. */
export const openLab = (notebook: string, ...others: string[]): Promise<Lab> =>
  openLabOf({ python: paths.python }, notebook, ...others);

/** The same in another JupyterLab than the checkout's own. */
export async function openLabOf(
  { python, env }: Jupyterlab,
  notebook: string,
  ...others: string[]
): Promise<Lab> {
  const folder = mkdtempSync(join(tmpdir(), "lensor-e2e-"));
  const work = join(folder, "work");
  mkdirSync(work);
  mkdirSync(output, { recursive: true });
  for (const file of [notebook, ...others]) copyFileSync(file, join(work, basename(file)));
  const server = spawn(
    python,
    [
      ...jupyterArguments({ folder: work, browser: false }),
      // Gives the page `jupyterapp`, whose commands the tests call.
      "--LabApp.expose_app_in_browser=True",
      "--IdentityProvider.token=e2e",
    ],
    {
      cwd: work,
      env: { ...jupyterEnvironment(join(folder, "state")), ...env },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let log = "";
  server.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  let browser: Browser | undefined;
  const stop = async () => {
    await browser?.close();
    const ended = new Promise((resolve) => server.once("exit", resolve));
    if (server.exitCode === null && server.kill("SIGTERM")) await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const url = await serverUrl(server, join(folder, "state/runtime"), "e2e", () => log);
    browser = await chromium.launch({ executablePath: browserPath!, args: flags });
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const foreign: string[] = [];
    page.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (/^(https?|wss?):$/.test(protocol) && hostname !== "127.0.0.1") foreign.push(request.url());
    });
    await page.goto(`${url}lab/tree/${encodeURIComponent(basename(notebook))}?token=e2e`);
    await page.waitForSelector(".jp-Notebook .jp-CodeCell", { timeout: 60_000 });
    return { page, foreign, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export async function command(page: Page, id: string, args: object = {}): Promise<void> {
  // What a command returns is JupyterLab's own web of objects and stays in the page.
  await page.evaluate(
    async ([id, args]) => {
      await (globalThis as unknown as { jupyterapp: Jupyter }).jupyterapp.commands.execute(
        id as string,
        args,
      );
    },
    [id, args] as const,
  );
}

interface Jupyter {
  /** Done when a page that is loaded again shows what it showed. */
  restored: Promise<unknown>;
  commands: { execute(id: string, args: unknown): Promise<unknown> };
  shell: {
    currentWidget: {
      sessionContext?: { session?: { kernel?: { status: string } | null } | null };
      content: {
        activeCellIndex: number;
        deselectAll(): void;
        widgets: {
          node: HTMLElement;
          model: { id: string; toJSON(): unknown; sharedModel: { setSource(text: string): void } };
        }[];
      };
    };
  };
}

export interface CellOutput {
  output_type: string;
  data?: Record<string, unknown>;
  ename?: string;
  evalue?: string;
}

interface CodeCell {
  cell_type: string;
  execution_count: number | null;
  outputs: CellOutput[];
}

/** A cell as a person sees it. */
export interface SeenCell {
  readonly id: string;
  readonly count: number | null;
  /** Everything that its outputs say as text. */
  readonly text: string;
  /** What its mark says; absent where it has none. */
  readonly mark?: string;
}

/** The code cells of the notebook in front, from top to bottom. */
export async function seenCells(page: Page): Promise<SeenCell[]> {
  return page.evaluate(() => {
    const { widgets } = (globalThis as unknown as { jupyterapp: Jupyter }).jupyterapp.shell.currentWidget
      .content;
    const cells: SeenCell[] = [];
    for (const { model, node } of widgets) {
      const json = model.toJSON() as CodeCell;
      if (json.cell_type !== "code") continue;
      const said = (json.outputs as (CellOutput & { text?: string })[]).map(
        ({ text, data, evalue }) => text ?? data?.["text/plain"] ?? evalue ?? "",
      );
      const mark = node.querySelector<HTMLElement>(":scope > .lensor-mark")?.title;
      cells.push({
        id: model.id,
        count: json.execution_count,
        text: said.join(""),
        ...(mark === undefined ? {} : { mark }),
      });
    }
    return cells;
  });
}

/** Makes a cell the active one, by its id. */
export async function choose(page: Page, id: string): Promise<void> {
  await page.evaluate((id) => {
    const { content } = (globalThis as unknown as { jupyterapp: Jupyter }).jupyterapp.shell.currentWidget;
    content.activeCellIndex = content.widgets.findIndex(({ model }) => model.id === id);
    content.deselectAll();
  }, id);
}

/** Writes a cell's text anew, as typing would. */
export async function write(page: Page, id: string, text: string): Promise<void> {
  await page.evaluate(
    ([id, text]) => {
      const { content } = (globalThis as unknown as { jupyterapp: Jupyter }).jupyterapp.shell.currentWidget;
      content.widgets.find(({ model }) => model.id === id)!.model.sharedModel.setSource(text!);
    },
    [id, text],
  );
}

/** Before its session has a kernel, a notebook answers "run" with the question which one to use. */
export async function untilIdle(page: Page): Promise<void> {
  await page.waitForFunction(
    () => {
      const { currentWidget } = (globalThis as unknown as { jupyterapp: Jupyter }).jupyterapp.shell;
      return currentWidget?.sessionContext?.session?.kernel?.status === "idle";
    },
    undefined,
    { timeout: 30_000 },
  );
}

/** Brings a notebook to the front and waits for its kernel. */
export async function open(page: Page, name: string): Promise<void> {
  await page.waitForFunction(() => "jupyterapp" in globalThis, undefined, { timeout: 60_000 });
  await page.evaluate(async () => {
    await (globalThis as unknown as { jupyterapp: Jupyter }).jupyterapp.restored;
  });
  await command(page, "docmanager:open", { path: `${name}.ipynb` });
  await page.waitForFunction((name) => document.title.startsWith(name), name);
  await page.waitForSelector(".jp-Notebook:visible .jp-CodeCell", { timeout: 60_000 });
  await untilIdle(page);
}

/** Runs every cell and waits until the last one is finished. Returns the outputs, cell by cell. */
export async function runAll(page: Page, milliseconds: number): Promise<CellOutput[][]> {
  await untilIdle(page);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The cells were not done after ${milliseconds} ms`)),
      milliseconds,
    );
  });
  try {
    await Promise.race([command(page, "notebook:run-all-cells"), late]);
  } catch (error) {
    await page.screenshot({ path: join(output, "failed.png") });
    throw error;
  } finally {
    clearTimeout(timer);
  }
  const cells = (await page.evaluate(() =>
    (globalThis as unknown as { jupyterapp: Jupyter }).jupyterapp.shell.currentWidget.content.widgets.map(
      (cell) => cell.model.toJSON(),
    ),
  )) as CodeCell[];
  return cells.filter((cell) => cell.cell_type === "code").map((cell) => cell.outputs);
}

/** Scrolls to each figure in turn and waits until it is drawn. Returns how many marks each one has. */
export async function drawnMarks(page: Page, figures: number): Promise<number[]> {
  const marks: number[] = [];
  const outputs = page.locator(".lensor-figure");
  for (let i = 0; i < figures; i++) {
    const figure = outputs.nth(i);
    await figure.scrollIntoViewIfNeeded({ timeout: 30_000 });
    await figure.locator(".js-plotly-plot .main-svg").first().waitFor({ state: "attached", timeout: 30_000 });
    marks.push(
      await figure.evaluate(
        (node) =>
          node.querySelectorAll(
            ".plot .trace, .plot path, .plot image, .heatmaplayer image, .barlayer path, .scatterlayer path, canvas, .treemaplayer path, .sunburstlayer path, .pielayer path, .icicle path",
          ).length,
      ),
    );
  }
  return marks;
}

export type Theme = "JupyterLab Light" | "JupyterLab Dark";

export async function changeTheme(page: Page, theme: Theme): Promise<void> {
  await command(page, "apputils:change-theme", { theme });
  const light = theme === "JupyterLab Light";
  await page.waitForSelector(`body[data-jp-theme-light="${light}"]`, { state: "attached" });
}

/** Changes the theme and, with LENSOR_FULL=1, leaves a picture of every cell under test/output: for people, nothing is proven by them. */
export async function pictures(page: Page, name: string, theme: Theme): Promise<void> {
  await changeTheme(page, theme);
  if (!process.env.LENSOR_FULL) return;
  // High enough for the tallest cell: what reaches below the window would be cut off.
  const size = page.viewportSize()!;
  await page.setViewportSize({ ...size, height: 1500 });
  const cells = page.locator(".jp-Notebook:visible .jp-Cell");
  for (let i = 0; i < (await cells.count()); i++) {
    await cells.nth(i).scrollIntoViewIfNeeded();
    await page.waitForTimeout(400);
    const file = `${name}-${theme === "JupyterLab Light" ? "light" : "dark"}-${String(i).padStart(2, "0")}.png`;
    await cells.nth(i).screenshot({ path: join(output, file) });
  }
  await page.setViewportSize(size);
}
