// Runs programs: no shell, arguments as arrays, output kept for the error and shown only where it fails. Relies on Node alone.

import { spawn } from "node:child_process";

const OUTPUT_MOST = 256 << 10;
const TAIL_LINES = 40;

/** A step that cannot go on, told in the user's words: no stack is printed for it. */
export class SetupError extends Error {}

/**
 * Runs a program quietly to its end.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ code: number, output: string }>} `code` is -1 where the program does not exist
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk.toString("utf8")).slice(-OUTPUT_MOST);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => resolve({ code: -1, output: error.message }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * Runs a program that has to succeed.
 * @param {string} what What fails if it fails, as the beginning of a sentence: "npm ci"
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, fix?: string }} [options]
 */
export async function must(what, command, args, { fix, ...options } = {}) {
  const { code, output } = await run(command, args, options);
  if (code === 0) return output;
  const tail = withoutHosts(output).trim().split("\n").slice(-TAIL_LINES).join("\n");
  throw new SetupError(`${what} failed (exit status ${code}).${fix ? ` ${fix}` : ""}\n${tail}`);
}

/**
 * Runs a program that talks to the terminal itself.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>} its exit status
 */
export function show(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: "inherit" });
    child.on("error", () => resolve(-1));
    child.on("close", (code) => resolve(code ?? 1));
  });
}

/** Addresses of registries and mirrors are the user's own affair and stay out of logs. */
const withoutHosts = (/** @type {string} */ text) =>
  text.replace(/\b[a-z][a-z+.-]*:\/\/[^\s'"<>]+/gi, "(address)");
