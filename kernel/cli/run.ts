// `lensor run notebook.ipynb`: executes a notebook from top to bottom, without a browser and without Python.
// Relies on the session's child process, as the kernel does. Stops at the first cell that fails, with its error.

import { writeFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Failure } from "../protocol/session.ts";
import { SessionProcess } from "../session/process.ts";
import { stripAnsi } from "./run/escape.ts";
import { type Json, Outputs, readNotebook, withOutputs } from "./run/notebook.ts";

const USAGE = `lensor run NOTEBOOK [--html FILE] [--out FILE [--pictures]] [--json] [--timeout SECONDS]
  --html FILE   one self-contained page with the results
  --out FILE    the notebook with its new outputs
  --pictures    in that notebook figures are pictures alone, for a repository: small, and GitHub shows them
  --json        one line a cell: index, status, seconds, text
  --timeout S   the longest any one cell may take
`;

interface Options {
  readonly notebook: string;
  readonly html?: string;
  readonly out?: string;
  readonly pictures: boolean;
  readonly json: boolean;
  readonly timeoutMs?: number;
}

interface Result {
  readonly outputs: Json[];
  readonly count: number;
  readonly seconds: number;
  readonly failure?: Failure;
}

export async function main(args: string[]): Promise<number> {
  let options: Options;
  let notebook: ReturnType<typeof readNotebook>;
  try {
    options = parse(args);
    notebook = readNotebook(options.notebook);
  } catch (error) {
    process.stderr.write(`lensor run: ${(error as Error).message}\n`);
    return 2;
  }
  const session = new SessionProcess({ cwd: dirname(resolve(options.notebook)) });
  const onInterrupt = (): void => session.interrupt();
  process.on("SIGINT", onInterrupt);
  const results = new Map<number, Result>();
  const code = notebook.cells.flatMap((cell, index) =>
    cell.type === "code" && cell.source.trim() ? [index] : [],
  );
  const order = notebook.cells.filter((cell) => cell.type === "code").map((cell) => cell.id);
  const outputs = new Outputs();
  let failed: number | undefined;
  for (const index of code) {
    if (failed === undefined) {
      const result = await runCell(
        session,
        notebook.cells[index]!,
        results.size + 1,
        order,
        outputs,
        options,
      );
      results.set(index, result);
      if (result.failure) failed = index;
      report(index, code.length, result, options);
    } else if (options.json) line({ index, status: "skipped", seconds: 0, text: "" });
  }
  await session.close();
  process.off("SIGINT", onInterrupt);

  if (options.out) {
    const saved = withOutputs(notebook, results, options);
    writeFileSync(options.out, `${JSON.stringify(saved, null, 1)}\n`);
  }
  if (options.html) writeFileSync(options.html, (await import("./run/page.ts")).pageOf(notebook, results));
  if (failed === undefined) return 0;
  const { failure, count } = results.get(failed)!;
  const traceback = failure!.traceback.join("\n");
  process.stderr.write(
    `\n${basename(options.notebook)}: cell ${failed} ([${count}]) failed.\n\n${process.stderr.isTTY ? traceback : stripAnsi(traceback)}\n`,
  );
  return 1;
}

async function runCell(
  session: SessionProcess,
  cell: { readonly id: string; readonly source: string },
  count: number,
  order: readonly string[],
  outputs: Outputs,
  { timeoutMs }: Options,
): Promise<Result> {
  const list: Json[] = [];
  const started = performance.now();
  let late = false;
  const timer =
    timeoutMs &&
    setTimeout(() => {
      late = true;
      session.interrupt();
    }, timeoutMs);
  let failure = await session.execute(
    { code: cell.source, silent: false, count, cell: cell.id, order },
    {
      output: (output) => outputs.add(list, output, count),
      input: () => Promise.reject(new Error("lensor run cannot ask for input.")),
    },
  );
  clearTimeout(timer);
  if (failure && late) {
    const evalue = `the cell took longer than ${timeoutMs! / 1000} s (--timeout)`;
    failure = { ename: "Timeout", evalue, traceback: [`Timeout: ${evalue}`] };
  }
  if (failure) outputs.fail(list, failure);
  return { outputs: list, count, seconds: (performance.now() - started) / 1000, failure };
}

function report(index: number, total: number, result: Result, { json }: Options): void {
  const seconds = Number(result.seconds.toFixed(3));
  // A value that fills in place is a display: the last one stands for it where there is no result.
  const shown = (type: string) => result.outputs.findLast((output) => output.output_type === type);
  const value = shown("execute_result") ?? shown("display_data");
  const text = (value?.data as Json | undefined)?.["text/plain"];
  if (json)
    line({
      index,
      status: result.failure ? "error" : "ok",
      seconds,
      text: typeof text === "string" ? text : "",
      ...(result.failure ? { error: `${result.failure.ename}: ${result.failure.evalue}` } : {}),
    });
  else {
    const status = result.failure ? "failed" : "ok";
    process.stderr.write(`[${result.count}/${total}] cell ${index} ${status} ${seconds.toFixed(2)} s\n`);
  }
}

function line(record: Json): void {
  process.stdout.write(`${JSON.stringify(record)}\n`);
}

function parse(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      html: { type: "string" },
      out: { type: "string" },
      pictures: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      timeout: { type: "string" },
    },
  });
  const [notebook, ...more] = positionals;
  if (!notebook || more.length) throw new Error(`expected one notebook.\n${USAGE}`);
  if (values.pictures && !values.out)
    throw new Error(`--pictures is about the notebook that --out writes.\n${USAGE}`);
  const seconds = values.timeout === undefined ? undefined : Number(values.timeout);
  if (seconds !== undefined && !(seconds > 0))
    throw new Error(`--timeout should be a number of seconds, and is "${values.timeout}".\n${USAGE}`);
  return {
    notebook,
    html: values.html,
    out: values.out,
    pictures: values.pictures,
    json: values.json,
    timeoutMs: seconds && seconds * 1000,
  };
}
