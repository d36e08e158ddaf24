// What `data` is: the ways to a Dataset.

import type { Table } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import type { Row } from "./chunk.ts";
import { Dataset } from "./dataset.ts";
import type { ReadOptions } from "./read/format.ts";
import { filesSource } from "./read/index.ts";
import { type SqlTables, sqlSource } from "./read/sql.ts";
import { rowsSource, tableSource } from "./source.ts";

/** The ways to a dataset: from files, rows in memory, an Arrow table, a query. */
export const data = {
  /**
   * Files: Parquet, JSON lines, CSV and TSV, Arrow, text; the text formats also gzipped. A path, a glob (`"corpus/*.parquet"`),
   * or a list of them.
   * @throws LensorError where a name or a pattern finds no file. What is in them is looked at when rows are asked for.
   */
  read<R extends Row = Row>(files: string | readonly string[], options?: ReadOptions): Dataset<R> {
    return new Dataset<R>(filesSource(files, options));
  },

  /** Rows that are in memory: `data.from([{ text: "..." }])`; texts alone get the column `text`. */
  from<R extends Row = Row>(rows: Iterable<R> | Iterable<string>): Dataset<R> {
    if (
      typeof rows === "string" ||
      typeof (rows as Iterable<R> | undefined)?.[Symbol.iterator] !== "function"
    )
      throw new LensorError("data.from takes rows", {
        expected: `a list such as [{ text: "..." }]`,
        got: describe(rows),
      });
    const list = Array.from(rows as Iterable<R | string>, (row) =>
      typeof row === "string" ? { text: row } : row,
    );
    return new Dataset<R>(rowsSource(list));
  },

  /** Rows of a query, by DuckDB: `data.sql("select id, count(*) n from docs group by id", { docs })`. */
  sql<R extends Row = Row>(query: string, tables?: SqlTables): Dataset<R> {
    return new Dataset<R>(sqlSource(query, tables));
  },

  /** An apache-arrow Table, read where it lies. */
  fromArrow<R extends Row = Row>(table: Table): Dataset<R> {
    return new Dataset<R>(tableSource(table));
  },
};
