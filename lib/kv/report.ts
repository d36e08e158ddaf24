// What a compaction did, by layer and head: how many keys stayed, the share of attention that went to them, and how far the
// output is from that of the whole cache, for queries that no method fitted alone. Holds numbers, no cache.

import { type Table, tableFromArrays } from "apache-arrow";
import { cacheReport } from "../plot/cache-report.ts";
import { Figure, type PlotlySpec } from "../plot/figure.ts";
import type { Provenance } from "../provenance.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Cache } from "./cache.ts";
import { outputsOf } from "./outputs.ts";
import { pagedOutputs } from "./paged-outputs.ts";
import { observe } from "./queries.ts";
import { disposeLayer, layerOf } from "./source.ts";

export interface HeadReport {
  readonly layer: number;
  /** A KV head. */
  readonly head: number;
  /** Keys that stayed, of so many. */
  readonly kept: number;
  readonly of: number;
  /** The share of attention that went to the keys that stayed. */
  readonly mass: number;
  /** ||o' - o|| / ||o|| of the head's query heads' outputs. */
  readonly error: number;
}

/** A report as plain data. */
export interface ReportFacts {
  readonly method: string;
  readonly model: string;
  readonly ratio: number;
  readonly tokens: number;
  readonly bytesBefore: number;
  readonly bytes: number;
  readonly bytesRead: number;
  readonly seconds: number;
  readonly notes: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly heads: readonly HeadReport[];
}

export type Measures = readonly Pick<HeadReport, "layer" | "head" | "mass" | "error">[];

export class CompactionReport {
  readonly provenance: Provenance;
  readonly #facts: ReportFacts;

  /** @internal Use `cache.report()`. */
  constructor(facts: ReportFacts, provenance: Provenance) {
    this.#facts = facts;
    this.provenance = provenance;
  }

  /** The method's name. */
  get method(): string {
    return this.#facts.method;
  }
  get model(): string {
    return this.#facts.model;
  }
  /** What was asked for: bytes before / bytes after. */
  get ratio(): number {
    return this.#facts.ratio;
  }
  get tokens(): number {
    return this.#facts.tokens;
  }
  get bytesBefore(): number {
    return this.#facts.bytesBefore;
  }
  /** What the smaller cache holds, by the allocator's count. */
  get bytes(): number {
    return this.#facts.bytes;
  }
  /** What one token's queries read of it. */
  get bytesRead(): number {
    return this.#facts.bytesRead;
  }
  /** Bytes before / bytes after, of those really held. */
  get realRatio(): number {
    return this.bytesBefore / this.bytes;
  }
  /** To make the smaller cache, without measuring it. */
  get seconds(): number {
    return this.#facts.seconds;
  }
  /** What the method found by head `[layers][kvHeads]`, by name. */
  get notes(): ReportFacts["notes"] {
    return this.#facts.notes;
  }
  get heads(): readonly HeadReport[] {
    return this.#facts.heads;
  }

  /** As plain data. */
  toJSON(): ReportFacts {
    return this.#facts;
  }

  /** One row a layer and KV head: layer, head, kept, of, mass, error. */
  table(): Table {
    const whole = (name: "layer" | "head" | "kept" | "of") => Int32Array.from(this.heads, (one) => one[name]);
    return tableFromArrays({
      layer: whole("layer"),
      head: whole("head"),
      kept: whole("kept"),
      of: whole("of"),
      mass: Float32Array.from(this.heads, (one) => one.mass),
      error: Float32Array.from(this.heads, (one) => one.error),
    });
  }

  /** Output error, mass and kept keys of every head. */
  plot(): Figure {
    return new Figure(() => cacheReport({ ...this.#facts, realRatio: this.realRatio }));
  }

  /** What a sweep's figure opens. @internal */
  detail(): PlotlySpec {
    return cacheReport({ ...this.#facts, realRatio: this.realRatio }, { brief: true });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

/** The text's last queries, by which window methods choose (SnapKV's 64): they would flatter those. */
const CHOSEN_BY = 64;

/** Both caches against queries of the text, from before its last ones, which see every key of either. */
export async function measured(before: Cache, after: Cache, queries: number): Promise<Measures> {
  const measures: Measures[number][] = [];
  const looked = Math.min(queries + CHOSEN_BY, before.length);
  const count = Math.max(1, looked - CHOSEN_BY);
  await observe(
    before,
    0,
    { of: "last", count: looked },
    async (seen) => {
      const { layer } = seen;
      const queries = seen.queries.at(null, [0, count]);
      const [whole, part] = [layerOf(before, layer), layerOf(after, layer)];
      const wanted = outputsOf(queries, whole);
      const reads = after.kept?.reads;
      const made = reads === undefined ? outputsOf(queries, part) : pagedOutputs(queries, part, reads);
      const got = reads === undefined ? wanted.mass : made.mass;
      const [o, p, mass] = await Promise.all([wanted.output, made.output, got].map(numbers));
      const places = after.positions(layer).map((own) => new Set(own));
      const { heads, kvHeads } = before.model.config;
      const d = queries.shape[2]!;
      const T = (reads === undefined ? whole : part).keys.shape[1]!;
      const group = heads / kvHeads;
      for (let head = 0; head < kvHeads; head++) {
        let [off, all, stayed] = [0, 0, 0];
        for (let h = head * group; h < (head + 1) * group; h++) {
          for (let t = 0; t < count; t++)
            for (let i = 0; i < d; i++) {
              const at = (t * heads + h) * d + i;
              off += (p![at]! - o![at]!) ** 2;
              all += o![at]! ** 2;
            }
          for (const [i, position] of (reads === undefined ? whole : part).positions[head]!.entries())
            if (places[head]!.has(position)) stayed += mass![h * T + i]!;
        }
        measures.push({ layer, head, mass: stayed / (count * group), error: Math.sqrt(off / all) });
      }
      for (const one of [whole, part]) disposeLayer(one);
      for (const one of [
        queries,
        wanted.output,
        wanted.logSumExp,
        wanted.mass,
        made.output,
        made.logSumExp,
        made.mass,
      ])
        one?.dispose();
      return undefined;
    },
    false,
  );
  return measures;
}

const numbers = async (x: Tensor) => (await x.data()) as Float32Array;
