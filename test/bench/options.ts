/** What a person can ask of `lensor bench`, checked. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

const NUMBERS = ["threads", "rounds", "context", "tokens", "sequence", "batch", "steps"] as const;
type Numbers = { readonly [name in (typeof NUMBERS)[number]]?: number };

export interface Options extends Numbers {
  readonly suites: readonly string[];
  readonly threads: number;
  /** A name or a file. */
  readonly model: string;
  /** Files of text; those of the suite where there is none. */
  readonly text: readonly string[];
  /** Contests whose name holds one of these; all where there is none. */
  readonly only: readonly string[];
  /** Where to write JSON: a file, or "-" for the output itself, with all else on the error stream. */
  readonly json?: string;
  /** Small sizes, to see that all works; no target is held against them. */
  readonly short: boolean;
}

/** @throws Error that says what is wrong */
export function parseOptions(args: string[], suites: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...(Object.fromEntries(NUMBERS.map((name) => [name, { type: "string" }])) as {
        [name in (typeof NUMBERS)[number]]: { type: "string" };
      }),
      model: { type: "string", default: "smollm2-135m-instruct" },
      text: { type: "string", multiple: true },
      only: { type: "string", multiple: true },
      json: { type: "string" },
      short: { type: "boolean", default: false },
    },
  });
  for (const name of positionals)
    if (!suites.includes(name)) throw new Error(`expected a suite of ${suites.join(", ")}, got ${name}`);
  const numbers: Record<string, number> = {};
  for (const name of NUMBERS) {
    const text = values[name];
    if (text === undefined) continue;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`--${name}: expected a whole number of at least 1, got ${text}`);
    numbers[name] = value;
  }
  return {
    ...numbers,
    suites: positionals,
    threads: numbers.threads ?? availableParallelism(),
    model: values.model,
    text: values.text ?? [],
    only: values.only ?? [],
    json: values.json,
    short: values.short,
  };
}
