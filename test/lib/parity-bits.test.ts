// One order of summation (design.md): on one instruction set and in one mode, the logits of a position are the same bits
// however the text was cut, and on any number of threads. Each process reads the prompt in several ways and prints hashes.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { instructionSets } from "./instruction-sets.ts";
import type { Fingerprints, Request } from "./logits-child.ts";
import { array, largestDifference, reference } from "./reference.ts";

const register = fileURLToPath(new URL("../../dist/kernel/session/register.js", import.meta.url));
const child = fileURLToPath(new URL("logits-child.ts", import.meta.url));

async function fingerprints(environment: Record<string, string>, request: Request): Promise<Fingerprints> {
  const args = ["--import", register, child, JSON.stringify(request)];
  const options = { env: { ...process.env, ...environment }, maxBuffer: 1 << 24 };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return JSON.parse(/^answer (.*)$/m.exec(stdout)![1]!) as Fingerprints;
}

// 150 tokens: over two pages of 64 keys, and no multiple of any block.
const ids = reference.text.ids.slice(0, 150);
const cuts = { whole: [150], uneven: [1, 7, 64, 33, 2, 43], pages: [64, 64, 22], "token by token": [1] };

describe("on the best instruction set", () => {
  let first: Fingerprints | undefined;
  for (const threads of [1, 2, 3, 7])
    it(`every way of cutting the text gives the same logits on ${threads} thread(s)`, {
      timeout: 120_000,
    }, async () => {
      // Reading token by token twice over (two modes) is the slow part: once is enough, and on two threads.
      const some = threads === 2 ? cuts : { whole: cuts.whole, uneven: cuts.uneven };
      const request: Request = { ids, modes: ["exact", "fast"], cuts: some };
      const found = await fingerprints({ LENSOR_THREADS: String(threads) }, request);
      first ??= found;
      for (const mode of request.modes)
        for (const [cut, hash] of Object.entries(found.hashes[mode]!))
          expect({ mode, cut, hash }).toEqual({ mode, cut, hash: first.hashes[mode]!.whole });
      expect(first.hashes.exact!.whole).not.toBe(first.hashes.fast!.whole);
    });
});

describe("on each instruction set of this machine", () => {
  for (const isa of instructionSets())
    it(`${isa}: transformers' logits within 2e-3, and the same bits token by token`, {
      timeout: 120_000,
    }, async () => {
      const columns = Array.from(array("logits.columns").data);
      const request: Request = {
        ids: reference.logits.ids,
        modes: ["exact", "fast"],
        cuts: { whole: [ids.length], "token by token": [1] },
        columns,
      };
      const { hashes, values } = await fingerprints({ LENSOR_CPU: isa }, request);
      expect(largestDifference(values.flat(), array("logits.values").data)).toBeLessThan(2e-3);
      for (const byCut of Object.values(hashes)) expect(new Set(Object.values(byCut)).size).toBe(1);
    });
});
