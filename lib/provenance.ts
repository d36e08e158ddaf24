// What made a result: enough to make it again. Plain data, saved with the result.

import { nativeInfo } from "./native.ts";
import { packageVersion } from "./package.ts";

/** What made a result, enough to make it again. Plain data, saved with the result. */
export interface Provenance {
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  readonly versions: { readonly lensor: string; readonly node: string; readonly isa: string };
}

export function provenance(model: string, options: Record<string, unknown>, seed?: number): Provenance {
  const versions = { lensor: packageVersion(), node: process.versions.node, isa: nativeInfo().isa };
  return { model, options, ...(seed !== undefined && { seed }), versions };
}
