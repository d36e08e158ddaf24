// What made a result: enough to make it again. Plain data, saved with the result.

import { nativeInfo } from "./native.ts";
import { packageVersion } from "./package.ts";

/** What made a result, enough to make it again. Plain data, saved with the result. */
export interface Provenance {
  /** By its name. */
  readonly model: string;
  /** What the call was given, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Where something was drawn. */
  readonly seed?: number;
  /** Of lensor and Node, and the instruction set. */
  readonly versions: { readonly lensor: string; readonly node: string; readonly isa: string };
}

export function provenance(model: string, options: Record<string, unknown>, seed?: number): Provenance {
  const versions = { lensor: packageVersion(), node: process.versions.node, isa: nativeInfo().isa };
  return { model, options, ...(seed !== undefined && { seed }), versions };
}
