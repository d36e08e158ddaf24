// `data.sql(query, tables)`: rows of a query, by DuckDB. Datasets stand in it as tables by their names, put away as Parquet while
// the query runs; files stand in it by their paths. Nothing is fetched from the network unasked, extensions neither.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LensorError } from "../../errors.ts";
import { stopIfInterrupted } from "../../host.ts";
import { describe } from "../../options.ts";
import { Chunk, type Row } from "../chunk.ts";
import type { Dataset } from "../dataset.ts";
import { hashOf } from "../fingerprint.ts";
import type { Source } from "../source.ts";
import { write } from "../write/index.ts";

/** What the query may hold in memory; beyond it DuckDB works on disk. */
const MEMORY = "512MB";
/** Milliseconds between two looks at whether the cell was interrupted. */
const WATCH = 100;

/** Datasets that stand in a query as tables, by their names there. */
export type SqlTables = Readonly<Record<string, Dataset>>;

export function sqlSource(query: string, tables: SqlTables = {}): Source {
  if (typeof query !== "string" || query.trim() === "")
    throw new LensorError("data.sql takes a query", {
      expected: `"select * from docs", { docs }`,
      got: describe(query),
    });
  for (const [name, dataset] of Object.entries(tables)) {
    if (!/^[A-Za-z_][A-Za-z_0-9]*$/.test(name))
      throw new LensorError(`data.sql: ${describe(name)} is no name of a table`, {
        expected: "letters, digits and _, not a digit first",
      });
    if (typeof dataset?.chunks !== "function")
      throw new LensorError(`data.sql: ${name} is no dataset`, { got: describe(dataset) });
  }
  return {
    name: query.replace(/\s+/g, " ").trim().slice(0, 120),
    columns: undefined,
    // A query may name files itself: they count by their names alone.
    opaque: true,
    async fingerprint() {
      const parts: string[] = [];
      for (const [name, dataset] of Object.entries(tables)) parts.push(name, await dataset.fingerprint());
      return hashOf({ query, parts });
    },
    async *read() {
      const { DuckDBInstance } = await import("@duckdb/node-api");
      const folder = await mkdtemp(join(tmpdir(), "lensor-sql-"));
      const instance = await DuckDBInstance.create(":memory:", {
        memory_limit: MEMORY,
        temp_directory: folder,
        autoinstall_known_extensions: "false",
        autoload_known_extensions: "false",
      });
      const connection = await instance.connect();
      const watch = setInterval(() => {
        try {
          stopIfInterrupted();
        } catch {
          connection.interrupt();
        }
      }, WATCH);
      try {
        for (const [name, dataset] of Object.entries(tables)) {
          const path = join(folder, `${name}.parquet`);
          await write(dataset, path, { card: false });
          await connection.run(
            `create view "${name}" as select * from read_parquet('${path.replaceAll("'", "''")}')`,
          );
        }
        const result = await connection.stream(query);
        for await (const rows of result.yieldRowObjectJs()) yield Chunk.ofRows(rows as Row[]);
      } catch (cause) {
        stopIfInterrupted();
        if (cause instanceof LensorError) throw cause;
        throw new LensorError(`data.sql: ${(cause as Error).message}`, { cause });
      } finally {
        clearInterval(watch);
        connection.closeSync();
        instance.closeSync();
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
