// What the machine must bring: Node, Python with venv, a C++20 compiler. Each that is missing gets one line that says how to get it.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { run } from "./process.mjs";

const isMac = process.platform === "darwin";
const PYTHON_FIX = isMac
  ? "Install it: brew install python"
  : "Install it: sudo apt-get install python3 python3-venv (or your system's equivalent), or point LENSOR_PYTHON to one.";
const COMPILER_FIX = isMac
  ? "Install it: xcode-select --install"
  : "Install it: sudo apt-get install g++ (or your system's equivalent), or point CXX to one.";

/** @returns {string | undefined} what is wrong with this Node, if anything */
export function nodeProblem() {
  const wanted = /(\d+)\.(\d+)/.exec(
    JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node,
  );
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [, wantedMajor, wantedMinor] = (wanted ?? ["", "20", "19"]).map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `Node ${wantedMajor}.${wantedMinor} or newer is needed, this is ${process.versions.node}. Install one from nodejs.org or with your version manager.`;
}

/** @returns {Promise<{ python: string } | { problem: string }>} */
export async function findPython() {
  const probe =
    "import sys, venv, ensurepip\nprint('%d.%d' % sys.version_info[:2])\nsys.exit(sys.version_info < (3, 10))";
  /** @type {string[]} */
  const found = [];
  const candidates = process.env.LENSOR_PYTHON ? [process.env.LENSOR_PYTHON] : ["python3", "python"];
  for (const python of [...candidates, ...(process.env.LENSOR_PYTHON ? [] : newerPythons)]) {
    const { code, output } = await run(python, ["-c", probe]);
    if (code === 0) return { python };
    if (code === -1) continue;
    const version = output.trim();
    found.push(/^\d+\.\d+$/.test(version) ? `${python} is ${version}` : `${python} lacks venv or ensurepip`);
  }
  const seen = found.length ? `; ${found.join(", ")}` : "";
  return { problem: `Python 3.10 or newer with venv is needed${seen}. ${PYTHON_FIX}` };
}

const newerPythons = ["python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/** @returns {Promise<{ compiler: string, version: string } | { problem: string }>} */
export async function findCompiler() {
  const folder = mkdtempSync(join(tmpdir(), "lensor-probe-"));
  const source = join(folder, "probe.cpp");
  writeFileSync(
    source,
    "#include <bit>\n#include <concepts>\n#include <span>\n#include <thread>\n" +
      "template <std::integral T> T f(T x) { return std::rotl(static_cast<unsigned>(x), 1); }\n" +
      "int main() { int a[2] = {1, 2}; return f(std::span<int>(a).size() == 2 ? 0 : 1); }\n",
  );
  try {
    /** @type {string[]} */
    const old = [];
    for (const compiler of process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"]) {
      const { code } = await run(compiler, ["-std=c++20", "-fsyntax-only", source]);
      if (code === -1) continue;
      const version = (await run(compiler, ["--version"])).output.split("\n")[0]?.trim() ?? "";
      if (code === 0) return { compiler, version };
      old.push(version || compiler);
    }
    const seen = old.length ? `; too old: ${old.join(", ")}` : "";
    return { problem: `A C++20 compiler is needed (g++ 12, clang 15 or newer)${seen}. ${COMPILER_FIX}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A program on the PATH. @param {string} name @returns {string | undefined} */
export function onPath(name) {
  const separator = process.platform === "win32" ? ";" : ":";
  for (const folder of (process.env.PATH ?? "").split(separator)) {
    const path = join(folder, process.platform === "win32" ? `${name}.exe` : name);
    if (folder && existsSync(path)) return path;
  }
  return undefined;
}
