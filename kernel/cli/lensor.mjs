#!/usr/bin/env node
// The `lensor` command: finds the built command and runs it. Plain JavaScript, since it runs before anything is built.

import { existsSync } from "node:fs";

const COMMANDS = {
  install: "install the kernel and JupyterLab's extension",
  uninstall: "remove them",
  run: "run a notebook without a browser",
  doctor: "say what this machine has and what is missing",
  build: "compile the native code, where no package of it fits this machine",
  bench: "measure speed",
};
const INTERNAL = ["kernel"];
/** Runs as it stands: it has to say what is missing where nothing is built. */
const UNBUILT = ["doctor", "build"];

const [command, ...args] = process.argv.slice(2);

if (!command || !(command in COMMANDS || INTERNAL.includes(command))) {
  const list = Object.entries(COMMANDS).map(([name, purpose]) => `  lensor ${name.padEnd(9)} ${purpose}`);
  const asked = command && !/^(-h|--help|help)$/.test(command);
  const text = `${asked ? `lensor: there is no command "${command}". ` : ""}Commands:\n${list.join("\n")}\n`;
  (asked ? process.stderr : process.stdout).write(text);
  process.exitCode = asked ? 2 : 0;
} else {
  const file = UNBUILT.includes(command)
    ? new URL(`${command}.mjs`, import.meta.url)
    : new URL(`../../dist/kernel/cli/${command}.js`, import.meta.url);
  if (!existsSync(file)) {
    process.stderr.write("lensor: not built yet. In its folder, run: npm run setup\n");
    process.exitCode = 1;
  } else {
    const { main } = await import(file.href);
    process.exitCode = await main(args);
    // What a command left open (a watcher, a socket) must not keep it alive once it has answered.
    if (command === "kernel") process.exit();
  }
}
