// The picture of what a dataset holds more than once, as a screen shows it, in both themes: no label under 10 pixels, none over
// another, none outside. Drawn by the Plotly that our extension carries, at a cell's width.

import { describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../lib/index.ts";
import { duplicatesSpec } from "../../lib/plot/duplicates.ts";
import { drawBoth, plotlyPage } from "./drawn-labels.ts";
import { browserPath } from "./lab.ts";

const WIDTH = 860;
const TEXT =
  "Permission is hereby granted, free of charge, to any person obtaining a copy of this <software> & its files, to deal in it without restriction";
const clusters = [199, 64, 12, 12, 7, 5, 5, 5, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2].map((size, c) =>
  Array.from({ length: size }, (_, i) => 1000 * c + i),
);
const pairs = clusters.slice(0, 20).map((cluster, i) => ({
  rows: [cluster[0]!, cluster.at(-1)!] as const,
  texts: [TEXT.slice(i), `${TEXT.slice(i, 60)}\n\nand more`] as const,
  similarity: 1 - i / 40,
}));
const options = { bands: 14, rows: 8, ngram: 5, seed: 1 };
const extra = clusters.reduce((sum, { length }) => sum + length - 1, 0);

const figures: Record<string, () => PlotlySpec> = {
  "many copies": () =>
    duplicatesSpec({ clusters, pairs, rows: 23_000, extra, options: { ...options, threshold: 0.8 } }),
  "one pair": () =>
    duplicatesSpec({ clusters: [[0, 5]], pairs: pairs.slice(0, 1), rows: 6, extra: 1, options }),
  "no copies": () => duplicatesSpec({ clusters: [], pairs: [], rows: 1319, extra: 0, options }),
};

describe.skipIf(!browserPath)("the picture of copies (needs Chromium)", () => {
  const page = plotlyPage(WIDTH);

  test.each(Object.keys(figures))("%s", { timeout: 60_000 }, async (name) => {
    expect(await drawBoth(page(), figures[name]!(), WIDTH, `data-${name}`)).toEqual({ light: [], dark: [] });
  });
});
