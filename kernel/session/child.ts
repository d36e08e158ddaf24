// The process that runs the person's cells. It reads commands, runs them one by one, and reports events.
// Relies on the pipes its host gave it (link.ts). Says it is ready at once and loads the compiler while nobody waits.

import { writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { hideBookkeeping } from "./bookkeeping.ts";
import { failureOf, mapStacks } from "./errors.ts";
import { answerInput, installGlobals } from "./host.ts";
import { inputs } from "./inputs.ts";
import { every, leave, process } from "./intrinsics.ts";
import { BROKEN, COMMANDS, type Command, emit, lines } from "./link.ts";
import { Modules } from "./modules.ts";
import { currentRun, flag, Interrupt, trackIntervals } from "./run.ts";
import { hideGuards } from "./sources.ts";
import { captureStreams, flush, write } from "./streams.ts";

mapStacks();
hideGuards();
hideBookkeeping();
captureStreams();
trackIntervals();
const modules = new Modules(process.cwd());
installGlobals(modules.require);

// An interrupt may be a signal to everyone in this process group; the cell itself hears of it by the flag.
function ignore(): void {}

function lastWords(code: number): void {
  flush();
  emit({ event: "exit", code });
}

/** Also before every cell: one that removes all listeners must not make the next one's mistakes deadly. */
function listen(): void {
  if (!process.listeners("SIGINT").includes(ignore)) process.on("SIGINT", ignore);
  if (!process.listeners("exit").includes(lastWords)) process.on("exit", lastWords);
  for (const event of ["uncaughtException", "unhandledRejection"])
    if (!process.listeners(event as "exit").includes(reportStray)) process.on(event, reportStray);
}
listen();

/** An error nobody awaits, from a timer or a forgotten promise: told in the cell that started it. */
function reportStray(error: unknown): void {
  if (Interrupt.is(error)) return;
  try {
    const { traceback } = failureOf(error);
    write("stderr", `Uncaught ${traceback.join("\n")}\n`, currentRun()?.id);
  } catch {
    leave(BROKEN);
  }
}

const worker = new Worker(new URL("./control.js", import.meta.url), {
  workerData: { flag },
  resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, codeRangeSizeMb: 8 },
});

const cells = import("./cells.ts").then(({ Cells }) => new Cells(modules));
worker.on("message", async (run: number) => (await cells).interrupt(run));
// After it was listened to, which holds it again.
worker.unref();

async function answer(command: Exclude<Command, { op: "run" }>): Promise<void> {
  if (command.op === "input") return answerInput(command);
  if (command.op === "widget") return inputs.take(command);
  if (command.op === "close") return end();
  if (command.op === "remove") return (await cells).remove(command.cells);
  const [{ namespace }, language] = await every([cells, import("./names.ts")]);
  const body = language[command.op](namespace, modules, command.code, command.cursor);
  emit({ event: "reply", id: command.id, body });
}

/** The session ends: what cells left behind is told, and this process ends when nothing of it is under way any more. */
async function end(): Promise<void> {
  const cleaning = (await cells).close();
  flush();
  if (cleaning) commands.unref();
  else process.exit(0);
}

/** Runs what is commanded, one after another; an error that is not a cell's own is the end of this process. */
async function work(before: Promise<unknown>, command: Extract<Command, { op: "run" }>): Promise<void> {
  await before;
  try {
    listen();
    await (await cells).run(command);
    await remember();
  } catch {
    leave(BROKEN);
  }
}

let queue: Promise<unknown> = cells;
const commands = new Socket({ fd: COMMANDS, readable: true, writable: false });
commands.on(
  "data",
  lines<Command>((command) => {
    if (command.op !== "run") void answer(command);
    else queue = work(queue, command);
  }),
);
commands.on("close", () => process.exit(0));

/** After each cell, while nobody waits: what the host may say of names when this thread is busy. */
async function remember(): Promise<void> {
  const [{ namespace }, { newFacts }] = await every([cells, import("./names.ts")]);
  const names = newFacts(namespace);
  if (names) emit({ event: "names", names });
}

try {
  // Under memory pressure the system should end this process, not Jupyter or the browser.
  writeFileSync("/proc/self/oom_score_adj", "500");
} catch {
  // Not Linux, or not allowed: nothing depends on it.
}
emit({ event: "ready" });
