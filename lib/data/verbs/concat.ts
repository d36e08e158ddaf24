// `concat(...others)`: the rows of several datasets, one after the other. `join(other, { on })`: columns of another dataset added
// where a column agrees.

import { LensorError } from "../../errors.ts";
import { checkChoice, checkNames, describe } from "../../options.ts";
import { Chunk, noColumn, type Row } from "../chunk.ts";
import type { Dataset } from "../dataset.ts";
import { hashOf } from "../fingerprint.ts";
import type { Source } from "../source.ts";
import type { Step } from "../step.ts";

export function concatSource(datasets: readonly Dataset[]): Source {
  for (const one of datasets) checkDataset("concat", one);
  const known = datasets.every(({ columns }) => columns);
  return {
    name: `${datasets.length} datasets`,
    opaque: datasets.some(({ source, steps }) => source.opaque || steps.some((step) => step.opaque)),
    columns: known ? [...new Set(datasets.flatMap(({ columns }) => columns!))] : undefined,
    async fingerprint() {
      const parts: string[] = [];
      for (const dataset of datasets) parts.push(await dataset.fingerprint());
      return hashOf(parts);
    },
    async *read(log) {
      const seen = new Set<string>();
      for (const dataset of datasets) {
        const record = dataset.record();
        for await (const chunk of dataset.run(record)) {
          for (const name of chunk.names) seen.add(name);
          const missing = [...seen].filter((name) => !chunk.columns.has(name));
          yield missing.reduce((all, name) => all.with(name, new Array(all.length).fill(undefined)), chunk);
        }
        for (const { log: own } of record.stages) {
          for (const one of own.broken) log.aside(one);
          for (const { reason, count, examples } of own.drops)
            log.change(`${own.name}: ${reason}: dropped before`, examples[0], count);
        }
      }
    },
  };
}

export interface JoinOptions {
  /** The column that both have. */
  on: string;
  /** `inner`: rows without a partner are dropped, and counted; `left`: they stay as they are. */
  how?: "inner" | "left";
}

/** The other dataset is held in memory. A row with several partners comes once for each. */
export function join(other: Dataset, options: JoinOptions): Step {
  checkDataset("join", other);
  checkNames("join", options, ["on", "how"]);
  const { on, how = "inner" } = options;
  if (typeof on !== "string")
    throw new LensorError("join: on is wrong", { expected: "a column", got: describe(on) });
  checkChoice("join", "how", how, ["inner", "left"]);
  const clash = (name: string) =>
    new LensorError(`join: both have a column ${JSON.stringify(name)}`, {
      fix: "Select or rename before: other.map(({ text, ...rest }) => ({ ...rest, reply: text })).",
    });
  return {
    name: "join",
    options: {
      on,
      how,
      other: other.source.name,
      steps: other.steps.map(({ name, options }) => ({ name, options })),
    },
    opaque: true,
    columns(before) {
      if (!before.includes(on)) throw noColumn(on, before, "join");
      const added = other.columns?.filter((name) => name !== on);
      const twice = added?.find((name) => before.includes(name));
      if (twice !== undefined) throw clash(twice);
      return added && [...before, ...added];
    },
    async *run(input, log) {
      const partners = new Map<unknown, Row[]>();
      const added = new Set<string>();
      for await (const chunk of other.chunks()) {
        const keys = chunk.column(on, "join: other");
        const rest = chunk.only(
          chunk.names.filter((name) => name !== on),
          "join",
        );
        for (const name of rest.names) added.add(name);
        keys.forEach((key, i) => {
          const rows = partners.get(key);
          if (rows) rows.push(rest.row(i));
          else partners.set(key, [rest.row(i)]);
        });
      }
      for await (const chunk of input) {
        const twice = chunk.names.find((name) => added.has(name));
        if (twice !== undefined) throw clash(twice);
        const kept: number[] = [];
        const found: Row[] = [];
        chunk.column(on, "join").forEach((key, i) => {
          const rows = key === null || key === undefined ? undefined : partners.get(key);
          if (!rows && how === "inner") log.drop("no partner", chunk.row(i));
          for (const row of rows ?? (how === "left" ? [{}] : [])) {
            kept.push(i);
            found.push(row);
          }
        });
        const columns = Chunk.ofRows(found).columns;
        yield [...added].reduce(
          (all, name) => all.with(name, columns.get(name)?.values ?? new Array(all.length).fill(undefined)),
          chunk.pick(kept),
        );
      }
    },
  };
}

function checkDataset(call: string, given: Dataset): void {
  if (typeof given?.chunks === "function") return;
  throw new LensorError(`${call} takes datasets`, {
    expected: "what data.read or data.from gives",
    got: describe(given),
  });
}
