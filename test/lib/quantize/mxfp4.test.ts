// MXFP4: each weight the nearest number that its block can have. Oracle: all sixteen, tried one by one in float64.

import { expect, it } from "vitest";
import { mxfp4 } from "../../../lib/index.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { loadRandom } from "../model/temporary.ts";
import { rejection } from "../problem.ts";

const NUMBERS = [0, 0.5, 1, 1.5, 2, 3, 4, 6].flatMap((x) => [x, -x]);

it("puts each weight to the nearest of its block's sixteen numbers, and keeps four bits of it", async () => {
  const model = await loadRandom({ width: 64, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 96 });
  const small = await model.quantize(mxfp4());
  const name = "blk.1.ffn_down.weight";
  const numbers = async (one: typeof model) => (await unpacked(one, name).data()) as Float32Array;
  const [before, after] = [await numbers(model), await numbers(small)];
  for (let block = 0; block < before.length; block += 32) {
    const most = Math.max(...before.subarray(block, block + 32).map(Math.abs));
    const scale = 2 ** (Math.floor(Math.log2(most)) - 2);
    for (let i = block; i < block + 32; i++) {
      const nearest = Math.min(...NUMBERS.map((x) => Math.abs(x * scale - before[i]!)));
      expect(Math.abs(after[i]! - before[i]!)).toBeCloseTo(nearest, 6);
    }
  }
  expect(small.report().rows.every(({ bits, type }) => bits === 4.25 && type === "MXFP4")).toBe(true);
  const odd = await loadRandom({ width: 40 });
  expect(await rejection(() => odd.quantize(mxfp4()))).toContain("blocks of 32 do not divide");
});
