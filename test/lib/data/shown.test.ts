// How a dataset and its report show themselves: what a person reads, not how it is drawn.

import { describe, expect, it } from "vitest";
import { data, type Row } from "../../../lib/index.ts";

const display = (value: object) =>
  (value as Record<symbol, () => Promise<Record<string, string>>>)[Symbol.for("Jupyter.display")]!();

const rows = Array.from({ length: 40 }, (_, n) => ({
  n,
  text: `word ${"more ".repeat(n)}`,
  ids: Int32Array.of(n, 2),
}));

describe("a dataset in a cell", () => {
  it("is a table to page through, with what each column holds", async () => {
    const bundle = await display(data.from(rows).filter((row) => row.n < 25));
    const html = bundle["text/html"]!;
    expect(html.match(/<details/g)!.length).toBe(3);
    expect(html).toMatch(/rows 21 to 25/);
    expect(html).toMatch(/0 to 24/);
    expect(html).toMatch(/all 2 long/);
    expect(bundle["text/plain"]).toMatch(/^40 rows\n25 rows, 3 columns, filter\nn: 0/);
  });

  it("lets no text become markup", async () => {
    const bundle = await display(data.from([{ "<b>x</b>": "<script>alert(1)</script>" }]));
    expect(bundle["text/html"]).not.toMatch(/<script|<b>x/);
  });

  it("shows in a moment what would take long, and columns that hold this and that", async () => {
    const slow = data.from(Array.from({ length: 50_000 }, (_, n) => ({ n }))).map(async (row) => {
      if (row.n % 1024 === 0) await new Promise((resolve) => setTimeout(resolve, 400));
      return row;
    });
    const began = performance.now();
    const sorted = await display(slow.sort("n", { descending: true }));
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(sorted["text/plain"]).toMatch(/rows not read yet/);
    expect((await display(data.from<Row>([{ x: 1 }, { x: "a" }])))["text/html"]).toMatch(/mixed/);
  }, 30_000);
});

describe("a report in a cell", () => {
  it("says how many rows stay, and why most went", async () => {
    const report = data
      .from(rows)
      .filter({ name: "short", options: {}, judge: (text) => (text.length < 80 ? "too <short>" : undefined) })
      .report();
    const { data: traces, layout } = await report.plot().spec();
    const meta = layout.meta as { title: string };
    expect(meta.title).toMatch(/^25 of 40 rows stay \(62.5.%\); most often one went for “too <short>”$/);
    expect(traces.map(({ type }) => type)).toEqual(["bar", "bar", "scatter", "scatter"]);
    expect(traces[0]!.x).toEqual([40, 25]);
    const labels = layout.yaxis2 as { ticktext: string[] };
    expect(labels.ticktext).toEqual(["too &lt;short&gt;"]);
    expect((await report.reasons()).get(0)!.toJSON()).toMatchObject({
      step: "short",
      kind: "dropped",
      count: 15,
    });
  });

  it("has a picture of no rows, of more rows than came, and of nothing dropped", async () => {
    const titleOf = async (dataset: ReturnType<typeof data.from>) =>
      ((await dataset.report().plot().spec()).layout.meta as { title: string }).title;
    expect(await titleOf(data.from<Row>([]))).toBe("There are no rows");
    expect(await titleOf(data.from<Row>(["a"]))).toMatch(/^1 of 1 rows stay \(100.%\)$/);
    const more = data.from<Row>([{ k: 1, a: 1 }]).join(
      data.from<Row>([
        { k: 1, b: 1 },
        { k: 1, b: 2 },
      ]),
      { on: "k" },
    );
    expect(await titleOf(more)).toBe("1 rows become 2");
  });
});
