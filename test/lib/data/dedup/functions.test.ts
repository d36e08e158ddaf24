// Oracle: the parameters of datatrove 0.10's MinHash at seed 1 (test/fixtures/make_datatrove.py); exact.

import { expect, it } from "vitest";
import { hashFunctions } from "../../../../lib/data/dedup/functions.ts";
import { datatrove } from "../datatrove.ts";

it("hash functions are those of datatrove", () => {
  const { a, b } = datatrove.minhash;
  expect([...hashFunctions(112, 1)].map(String)).toEqual([...a, ...b]);
});
