// How an adapter shows itself: what it says it moves is what it moves.

import { describe, expect, it } from "vitest";
import { lora } from "../../../lib/index.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { loadRandom } from "../model/temporary.ts";
import { disturbed } from "./disturbed.ts";

const title = (spec: { layout: Record<string, unknown> }) => (spec.layout.meta as { title: string }).title;

describe("an adapter", () => {
  it("says how far it moves each matrix, in a table and a figure", async () => {
    const base = await loadRandom();
    const adapter = disturbed(lora({ rank: 2, targets: ["attn_v", "blk.1.ffn_down"], seed: 1 }).on(base));
    const table = await adapter.table();
    expect(table.schema.fields.map(({ name }) => name)).toEqual([
      ...["name", "shape", "rank", "parameters", "change"],
    ]);
    expect(table.numRows).toBe(3);
    const tuned = adapter.model();
    for (const row of table) {
      const [now, then] = (await Promise.all(
        [tuned, base].map((one) => unpacked(one, row!.name).data()),
      )) as Float32Array[];
      const size = (of: Float32Array) => Math.sqrt(of.reduce((sum, x) => sum + x * x, 0));
      expect(row!.change).toBeCloseTo(size(now!.map((x, i) => x - then![i]!)) / size(then!), 4);
      expect(row!.rank).toBe(2);
    }
    const spec = await adapter.plot().spec();
    const changes = [...table].map((row) => row!.change as number);
    const most = [...table][changes.indexOf(Math.max(...changes))]!.name as string;
    expect(title(spec)).toContain(`layer ${most.split(".")[1]} moved most`);
    const [trace] = spec.data as { z: (number | null)[][] }[];
    expect(trace!.z[0]).toHaveLength(2);
    expect(trace!.z[1]![0]).toBeNull();
  });

  it("that has learnt nothing says so, and its card names what to do", async () => {
    const base = await loadRandom();
    const adapter = lora({ dora: true }).on(base);
    expect(title(await adapter.plot().spec())).toMatch(/^Nothing has been learnt yet/);
    const show = Symbol.for("Jupyter.display");
    const bundle = (of: unknown) => (of as { [show]: () => Record<string, string> })[show]()["text/plain"];
    expect(bundle(adapter)).toMatch(/kind dora, rank 8.*adapter\.model\(\)/s);
    expect(bundle(adapter.model())).toContain("adapter dora, rank 8");
  });
});
