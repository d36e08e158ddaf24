// What is there more than once: the clusters of texts that are copies of one another, their sizes, and pairs to look at with the
// n-grams that they really share. A result: it shows itself.

import { type Table, tableFromArrays } from "apache-arrow";
import { duplicatesSpec } from "../../plot/duplicates.ts";
import { Figure } from "../../plot/figure.ts";
import { simplify } from "../../text/simplify.ts";
import { words } from "../../text/words.ts";
import type { Chunk } from "../chunk.ts";
import { clustered, type DedupOptions, readOptions } from "./dedup.ts";

/** Two texts of one cluster, the first of it and another. */
export interface DuplicatePair {
  /** Numbers of the rows, from 0. */
  readonly rows: readonly [number, number];
  readonly texts: readonly [string, string];
  /** The part of their n-grams, taken together, that both have: computed from the texts, not estimated. */
  readonly similarity: number;
}

/** Clusters of which a pair is kept, the largest first. */
const PAIRS = 20;

/**
 * What is there more than once: the clusters of texts that are copies of one another, and pairs to look at with the n-grams
 * that they really share.
 */
export class Duplicates {
  /** Rows of every cluster of two or more, the largest cluster first, rows in their order. */
  readonly clusters: readonly (readonly number[])[];
  /** Of the largest clusters, the first row and the last. */
  readonly pairs: readonly DuplicatePair[];
  /** Rows that were looked at. */
  readonly rows: number;
  readonly options: Readonly<Record<string, unknown>>;

  /** @internal Use `dataset.duplicates()`. */
  constructor(
    clusters: readonly (readonly number[])[],
    pairs: readonly DuplicatePair[],
    rows: number,
    options: Readonly<Record<string, unknown>>,
  ) {
    this.clusters = clusters;
    this.pairs = pairs;
    this.rows = rows;
    this.options = options;
  }

  /** Rows that `dedup` would drop. */
  get extra(): number {
    return this.clusters.reduce((sum, cluster) => sum + cluster.length - 1, 0);
  }

  /** One row a member: cluster, row, size of its cluster, whether it is the one that stays. */
  table(): Table {
    const members = this.clusters.flatMap((cluster, i) => cluster.map((row, k) => ({ i, row, k, cluster })));
    return tableFromArrays({
      cluster: Int32Array.from(members, ({ i }) => i),
      row: Int32Array.from(members, ({ row }) => row),
      size: Int32Array.from(members, ({ cluster }) => cluster.length),
      kept: members.map(({ k }) => k === 0),
    });
  }

  /** How many clusters there are of each size, and pairs of the largest with how much they share. */
  plot(): Figure {
    return new Figure(() => duplicatesSpec(this));
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

export async function findDuplicates(
  input: AsyncIterable<Chunk>,
  options: DedupOptions = {},
): Promise<Duplicates> {
  const { column, ngram, method: _, ...rest } = readOptions("duplicates", options);
  let found: { clusters: number[][]; wanted: Map<number, string> } | undefined;
  let rows = 0;
  for await (const { chunk, at, first } of clustered(input, options)) {
    found ??= membersOf(first);
    rows = first.length;
    for (const [i, text] of chunk.texts(column, "duplicates").entries())
      if (found.wanted.has(at + i)) found.wanted.set(at + i, text ?? "");
  }
  const { clusters, wanted } = found ?? { clusters: [], wanted: new Map<number, string>() };
  const pairs = clusters.slice(0, PAIRS).map((cluster): DuplicatePair => {
    const [one, other] = [cluster[0]!, cluster.at(-1)!];
    const texts = [wanted.get(one)!, wanted.get(other)!] as const;
    return { rows: [one, other], texts, similarity: jaccard(texts[0], texts[1], ngram) };
  });
  return new Duplicates(clusters, pairs, rows, { ...rest, ngram, column });
}

function membersOf(first: Int32Array): { clusters: number[][]; wanted: Map<number, string> } {
  const all = new Map<number, number[]>();
  for (const [row, one] of first.entries()) {
    if (one === row) continue;
    const members = all.get(one);
    if (members) members.push(row);
    else all.set(one, [one, row]);
  }
  const clusters = [...all.values()].sort((a, b) => b.length - a.length || a[0]! - b[0]!);
  const wanted = new Map<number, string>();
  for (const cluster of clusters.slice(0, PAIRS)) wanted.set(cluster[0]!, "").set(cluster.at(-1)!, "");
  return { clusters, wanted };
}

/** |A and B| / |A or B| of the sets of n-grams of words of two texts, as MinHash sees them. */
export function jaccard(one: string, other: string, ngram = 5): number {
  const [a, b] = [one, other].map((text) => {
    const all = words(simplify(text));
    return new Set(
      Array.from({ length: Math.max(0, all.length - ngram + 1) }, (_, i) =>
        all.slice(i, i + ngram).join(" "),
      ),
    );
  }) as [Set<string>, Set<string>];
  let both = 0;
  for (const gram of a) if (b.has(gram)) both++;
  const all = a.size + b.size - both;
  return all === 0 ? 0 : both / all;
}
