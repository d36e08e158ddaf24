// What made a result: enough to make it again. Plain data, saved with the result.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nativeInfo } from "./native.ts";

export interface Provenance {
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  readonly versions: { readonly lensor: string; readonly node: string; readonly isa: string };
}

export function provenance(model: string, options: Record<string, unknown>, seed?: number): Provenance {
  const versions = { lensor: version(), node: process.versions.node, isa: nativeInfo().isa };
  return { model, options, ...(seed !== undefined && { seed }), versions };
}

let known: string | undefined;

/** Version of this package. */
export function version(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); known === undefined; folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (manifest.name === "lensor") known = String(manifest.version);
    } catch {
      // No manifest here: look further up.
    }
    if (folder === dirname(folder)) known ??= "unknown";
  }
  return known;
}
