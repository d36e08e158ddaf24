// `cache()`: what the steps so far give, kept on disk under a name made of the source's contents and the steps' options, so that
// the same work is done once, in this session and the next ones. Never used where something is at work that has no such name.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { LensorError } from "../errors.ts";
import { checkNames, describe } from "../options.ts";
import { packageVersion } from "../package.ts";
import type { Dataset } from "./dataset.ts";
import { hashOf } from "./fingerprint.ts";
import { filesSource } from "./read/index.ts";
import type { Source } from "./source.ts";
import { write } from "./write/index.ts";

export interface CacheOptions {
  /** Where; `lensor/data` under the user's cache folder by default. */
  folder?: string;
}

/** Work that is under way in this process: who asks for the same waits for it. */
const underWay = new Map<string, Promise<void>>();

export function cachedSource(dataset: Dataset, options: CacheOptions = {}): Source {
  checkNames("cache", options, ["folder"]);
  const { folder = defaultFolder() } = options;
  if (typeof folder !== "string" || folder === "")
    throw new LensorError("cache: folder is wrong", { expected: "a path", got: describe(folder) });
  const opaque = dataset.source.opaque
    ? dataset.source.name
    : dataset.steps.find((step) => step.opaque)?.name;
  if (opaque !== undefined)
    throw new LensorError(`cache: what ${opaque} gives cannot be named`, {
      expected: "files and steps that are told by their contents and options",
      got: "a function or a query, which may use what stands around it",
      fix: "Put cache() before it.",
    });
  // A model may learn between two readings.
  const changes = dataset.steps.some((step) => step.fingerprint);
  const fingerprint = changes ? () => dataset.fingerprint() : once(() => dataset.fingerprint());
  return {
    name: `${dataset.source.name}, kept after ${dataset.steps.map(({ name }) => name).join(", ") || "reading"}`,
    columns: dataset.columns,
    // Of what was made and from what: the place does not matter.
    fingerprint,
    async *read(log) {
      // Another version may do a step in another way.
      const name = hashOf({ fingerprint: await fingerprint(), version: packageVersion() }).slice(0, 32);
      const path = join(resolve(folder), `${name}.parquet`);
      if (!existsSync(path)) {
        let work = underWay.get(path);
        if (!work) {
          work = write(dataset, path)
            .then(() => {})
            .finally(() => underWay.delete(path));
          underWay.set(path, work);
        }
        await work;
      }
      yield* filesSource(path).read(log);
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Beside the models: see registry.ts. */
function defaultFolder(): string {
  const { LENSOR_CACHE, XDG_CACHE_HOME } = process.env;
  if (LENSOR_CACHE) return join(resolve(LENSOR_CACHE), "data");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "lensor", "data");
}
