// profile(): what it records is what ran, with the work that the shapes ask for, and nothing of it stays on afterwards.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { hub } from "../../../lib/model/hub.ts";
import type { Model } from "../../../lib/model/model.ts";
import { type Profile, profile } from "../../../lib/profile/profile.ts";
import { tensor } from "../../../lib/tensor/index.ts";

type Title = { title: string };

describe("a profile of tensor operations", () => {
  let found: Profile<number>;

  beforeAll(async () => {
    const a = tensor.randn([64, 128], { seed: 1 });
    const w = tensor.randn([128, 32], { seed: 2 }).requiresGrad();
    await a.sum().item();
    found = await profile(async () => {
      for (let step = 0; step < 3; step++) {
        const loss = profile.phase("forward", () => a.matmul(w).relu().sum());
        loss.backward();
      }
      return w.sum().item() as Promise<number>;
    });
  });

  test("gives what the callback gave", () => {
    expect(found.value).toBeTypeOf("number");
  });

  test("counts calls, and the operations and bytes that the shapes ask for", () => {
    const relu = found.operations.find((one) => one.name === "relu")!;
    expect(relu).toMatchObject({ calls: 3, flops: 3 * 64 * 32, bytes: 3 * 2 * 64 * 32 * 4, compute: "f32" });
    expect(relu.shapes).toBe("[64, 32] → [64, 32]");
    const matmul = found.operations.find((one) => one.name === "matmul")!;
    // Forward, and the gradient of w; that of a is not asked for.
    expect(matmul).toMatchObject({ calls: 6, flops: 3 * 2 * 2 * 64 * 128 * 32 });
  });

  test("the table has one row an operation, shares adding up to one, times within the whole", () => {
    const rows = found.table().toArray();
    expect(rows.reduce((sum, row) => sum + row.share, 0)).toBeCloseTo(1, 9);
    expect(rows.reduce((sum, row) => sum + row.seconds, 0)).toBeLessThanOrEqual(found.seconds);
    for (const row of rows) expect(row.flopsPerSecond).toBeCloseTo(row.flops / row.seconds, 0);
  });

  test("measures the machine", () => {
    expect(found.roof.f32).toBeGreaterThan(1e8);
    expect(found.roof.read).toBeGreaterThan(1e8);
  });

  test("draws a roofline and a flame chart whose titles are findings", async () => {
    const roofline = await found.plot().spec();
    expect((roofline.layout.meta as Title).title).toMatch(/^\w+ takes .*% of the time/);
    const flame = await found.plot({ view: "flame" }).spec();
    expect((flame.layout.meta as Title).title).toMatch(/^The engine was busy .*% of .*, most of it with/);
    const names = flame.data.flatMap((level) =>
      (level.customdata as string[]).map((text) => text.split("<br>")[0]),
    );
    for (const name of ["forward", "backward", "this program"]) expect(names.join()).toContain(name);
    expect(() => found.plot({ view: "pie" as "flame" })).toThrow(
      /view is wrong\nExpected "roofline" or "flame"/,
    );
  });

  test("saves a trace that Perfetto reads: nested complete events", async () => {
    const folder = await mkdtemp(join(tmpdir(), "lensor-"));
    try {
      const file = join(folder, "trace.json");
      await found.save(file);
      const { traceEvents } = JSON.parse(await readFile(file, "utf8")) as {
        traceEvents: {
          name: string;
          ph: string;
          ts: number;
          dur: number;
          tid: number;
          cat: string;
          args: object;
        }[];
      };
      const spans = traceEvents.filter((event) => event.ph === "X");
      const [whole] = spans;
      expect(whole!.name).toBe("callback");
      for (const { ts, dur } of spans) {
        expect(ts).toBeGreaterThanOrEqual(0);
        expect(ts + dur).toBeLessThanOrEqual(whole!.dur + 1);
      }
      const relu = spans.filter((event) => event.name === "relu");
      expect(relu.length).toBe(3);
      expect(relu[0]!.args).toMatchObject({ phase: "forward", cell: "this program" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("profile", () => {
  test("of a model shows the kernels that a pass is made of", async () => {
    const model: Model = await hub.load("smollm2-135m-instruct");
    const found = await profile(async () => (await model.forward([1, 2, 3, 4])).logits.data());
    const layers = found.operations.find((one) => one.name === "forward: layers")!;
    const head = found.operations.find((one) => one.name === "forward: linear")!;
    const { layers: count, width, heads, kvHeads, headWidth, feedForward, vocabulary } = model.config;
    const each = 2 * width * width + 2 * width * kvHeads * headWidth + 3 * width * feedForward;
    // Four tokens see one to four keys.
    const attention = 4 * headWidth * heads * (1 + 2 + 3 + 4);
    expect(layers.flops).toBe(count * (2 * 4 * each + attention));
    expect(layers.bytes).toBeGreaterThan(60e6);
    expect(head.flops).toBe(2 * 4 * width * vocabulary);
    model.dispose();
  });

  test("takes a synchronous callback, and one that enqueues nothing", async () => {
    const found = await profile(() => 3);
    expect(found.value).toBe(3);
    expect(found.table().numRows).toBe(0);
    expect(((await found.plot().spec()).layout.meta as Title).title).toBe("Nothing ran");
    expect(((await found.flame().spec()).layout.meta as Title).title).toBe("Nothing ran");
  });

  test("throws what its callback throws, and can be used again", async () => {
    await expect(
      profile(() => {
        throw new Error("mine");
      }),
    ).rejects.toThrow("mine");
    await expect(profile(async () => profile(() => 1))).rejects.toThrow(/already under way\n.*Await it/);
    await expect(profile(1 as unknown as () => void)).rejects.toThrow(/profile takes a function/);
    expect((await profile(() => tensor.ones([4]).add(1).data())).value).toEqual(
      new Float32Array([2, 2, 2, 2]),
    );
  });

  test("changes no result: the same bits while it looks", async () => {
    const x = tensor.randn([50, 60], { seed: 4 });
    const compute = () => x.matmul(x.T).softmax(-1).data();
    const plain = await compute();
    expect((await profile(compute)).value).toEqual(plain);
  });

  test("a phase outside a profile just runs", async () => {
    expect(profile.phase("x", () => 5)).toBe(5);
    expect(await profile.phase("x", async () => 6)).toBe(6);
  });
});
