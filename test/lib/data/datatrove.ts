// What datatrove says of texts: the fixture of the tests of curation. See test/fixtures/make_datatrove.py.

import { readFileSync } from "node:fs";

export type Decision = { reason: string } | string | null;

interface Fixture {
  rows: { text: string; gopher: Decision; repetition: Decision; c4: Decision; fineweb: Decision }[];
  words: { text: string; simplified: string; words: string[]; sentences: number }[];
  minhash: {
    documents: string[];
    clusters: number[][];
    /** The first hash of every band; null where a text has no n-gram. */
    firsts: (string[] | null)[];
    whole: Record<string, string[]>;
    a: string[];
    b: string[];
  };
}

export const datatrove = JSON.parse(
  readFileSync(new URL("../../fixtures/datatrove.json", import.meta.url), "utf8"),
) as Fixture;
