// `npm start`: sets up what is missing and opens JupyterLab on the tour. JupyterLab's settings, workspaces and run-time files
// stay in .jupyter/ of this folder: a Jupyter that the user has elsewhere is neither read nor changed.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { parseArgs } from "node:util";
import { jupyterArguments, jupyterEnvironment } from "./setup/jupyter.mjs";
import { paths, root } from "./setup/paths.mjs";
import { SetupError } from "./setup/process.mjs";
import { command, setup } from "./setup.mjs";

const USAGE = `npm start -- [--port N] [--no-browser] [--notebook FILE]
  --port N         the port to listen on (default: 8888, or the next one that is free)
  --no-browser     print the address instead of opening it
  --notebook FILE  what to open (default: notebooks/00-tour.ipynb)
`;

const READY_MS = 60_000;

await command(async () => {
  const options = readOptions();
  if (!options) return process.exitCode === 2 ? 2 : 0;
  await setup();
  return serve(options);
});

/** @typedef {{ port: number | undefined, browser: boolean, folder: string, notebook: string | undefined }} Options */

/** @returns {Options | undefined} */
function readOptions() {
  const options = /** @type {const} */ ({
    port: { type: "string" },
    "no-browser": { type: "boolean" },
    notebook: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  let given;
  try {
    given = parseArgs({ options }).values;
    if (given.port !== undefined && !(/^\d+$/.test(given.port) && +given.port > 0 && +given.port < 65536))
      throw new Error(`--port wants a number from 1 to 65535, not ${JSON.stringify(given.port)}.`);
  } catch (error) {
    process.stderr.write(`${/** @type {Error} */ (error).message}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
  if (given.help) {
    process.stdout.write(USAGE);
    return undefined;
  }
  // npm runs this in the package's folder; the user's own is where the path starts.
  const from = process.env.INIT_CWD ?? process.cwd();
  const tour = join(root, "notebooks/00-tour.ipynb");
  const notebook = given.notebook === undefined ? tour : resolve(from, given.notebook);
  if (given.notebook !== undefined && !(existsSync(notebook) && statSync(notebook).isFile()))
    throw new SetupError(`There is no notebook ${notebook}. Paths start at ${from}.`);
  return {
    port: given.port === undefined ? undefined : Number(given.port),
    browser: !given["no-browser"] && hasDisplay(),
    folder: isInside(root, notebook) ? root : dirname(notebook),
    notebook: existsSync(notebook) ? notebook : undefined,
  };
}

function isInside(/** @type {string} */ folder, /** @type {string} */ file) {
  const path = relative(folder, file);
  return !path.startsWith("..") && !isAbsolute(path);
}

function hasDisplay() {
  if (process.platform !== "linux") return true;
  return Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY || process.env.WSL_DISTRO_NAME);
}

/** Runs JupyterLab until it ends. @param {Options} options @returns {Promise<number>} */
async function serve({ port, browser, folder, notebook }) {
  const runtime = join(paths.jupyter, "runtime");
  mkdirSync(runtime, { recursive: true });
  const page = notebook
    ? `/lab/tree/${relative(folder, notebook).split(sep).map(encodeURIComponent).join("/")}`
    : "/lab";
  const child = spawn(
    paths.python,
    [
      ...jupyterArguments({ folder, page, browser }),
      `--ServerApp.port=${port ?? 8888}`,
      `--ServerApp.port_retries=${port === undefined ? 50 : 0}`,
      "--log-level=ERROR",
    ],
    { cwd: folder, env: jupyterEnvironment(paths.jupyter), stdio: ["ignore", "inherit", "pipe"] },
  );
  relayLog(child.stderr);
  // Ctrl-C reaches the whole process group: JupyterLab ends its kernels and itself, and this process waits for it.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("exit", () => child.kill("SIGTERM"));
  const ended = new Promise((resolve) => child.once("close", (code) => resolve(code)));
  let stopped = false;
  ended.then(() => {
    stopped = true;
  });
  const file = join(runtime, `jpserver-${child.pid}.json`);
  for (const limit = Date.now() + READY_MS; !stopped && Date.now() < limit; ) {
    const server = readServer(file);
    if (server && (await answers(server))) {
      const address = `http://127.0.0.1:${server.port}${page}?token=${server.token}`;
      process.stdout.write(`\nJupyterLab runs at ${address}\n`);
      if (notebook) process.stdout.write(`It opens ${basename(notebook)}; Ctrl-C here ends it.\n\n`);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const code = await ended;
  for (const name of readdirSync(runtime)) {
    if (name.startsWith(`jpserver-${child.pid}`)) rmSync(join(runtime, name), { force: true });
  }
  if (code !== 0 && code !== null && port !== undefined)
    process.stderr.write(`JupyterLab ended (exit status ${code}). Is port ${port} free?\n`);
  return code ?? 0;
}

/** @param {string} file @returns {{ port: number, token: string } | undefined} */
function readServer(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** @param {{ port: number, token: string }} server */
async function answers({ port, token }) {
  const reply = await fetch(`http://127.0.0.1:${port}/api?token=${token}`).catch(() => undefined);
  return reply?.ok;
}

/**
 * JupyterLab's errors, without the address block that we print ourselves.
 * @param {import("node:stream").Readable} stream
 */
function relayLog(stream) {
  let rest = "";
  stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (!isAddressBlock(line)) process.stderr.write(`${line}\n`);
  });
}

function isAddressBlock(/** @type {string} */ line) {
  return /^\s*$|^\[I |To access the server, open|Or copy and paste one of these|^\s+(file|https?):\/\/|ServerApp\]\s*$/.test(
    line,
  );
}
