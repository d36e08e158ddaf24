// The pictures of experts as a screen shows them, in both themes: no label under 10 pixels, none over another, none outside. Drawn
// by the Plotly that our extension carries, at a cell's width.

import { describe, expect, test } from "vitest";
import type { Figure } from "../../lib/index.ts";
import { checkExperts } from "../../lib/moe/experts.ts";
import { type Choice, Routing } from "../../lib/moe/routing.ts";
import { drawBoth, plotlyPage } from "./drawn-labels.ts";
import { browserPath } from "./lab.ts";

const WIDTH = 860;
const words =
  "Alice| was| begin|ning| to| get| very| tired| of| sitting| by| her| sister|,| and| 42|\n\n|“|No|!".split(
    "|",
  );

/** Choices that lean on a token's kind and on its place. */
function routing(layers: number, count: number, topK: number, length: number): Routing {
  const tokens = Array.from({ length }, (_, t) => words[(t * 7) % words.length]!);
  const choices = Array.from({ length: layers }, (_, layer) => {
    const all: Choice[] = [];
    for (let t = 0; t < length; t++)
      for (let j = 0; j < topK; j++) {
        const drawn = Math.floor(count * (((t * 31 + layer * 17 + j * 7) * 0.618) % 1) ** 1.6);
        const first = (tokens[t]!.length + layer) % count;
        const expert =
          j === 0 ? (t % 3 ? drawn : first) : (all.at(-1)!.expert + 1 + (drawn % (count - 1 || 1))) % count;
        all.push({ token: t, expert, gate: j === 0 ? 0.7 : 0.3 });
      }
    return all.sort((a, b) => a.expert - b.expert || a.token - b.token);
  });
  return new Routing({
    model: "smollm2-135m-instruct, 8 experts",
    experts: checkExperts("test", { count, topK }),
    tokens,
    choices,
  });
}
const [usual, small, many] = [routing(30, 8, 2, 400), routing(3, 4, 2, 60), routing(4, 64, 6, 2000)];

const figures: Record<string, () => Figure> = {
  load: () => usual.plot(),
  "load of few": () => small.plot(),
  "load of many": () => many.plot(),
  "along the text": () => usual.overTime({ layer: 12 }),
  "along the text, many": () => many.overTime({ layer: 1, window: 200 }),
  map: () => usual.map(),
  "map of few": () => small.map({ from: 10, to: 30 }),
  types: () => usual.byType(),
  "types of one layer": () => usual.byType({ layer: 3 }),
  "types of many": () => many.byType({ layer: 0 }),
  pairs: () => usual.pairs({ layer: 5 }),
  "pairs of many": () => many.pairs(),
};

describe.skipIf(!browserPath)("pictures of experts (needs Chromium)", () => {
  const page = plotlyPage(WIDTH);

  test.each(Object.keys(figures))("%s", { timeout: 60_000 }, async (name) => {
    const spec = await figures[name]!().spec();
    expect(await drawBoth(page(), spec, WIDTH, `experts-${name}`)).toEqual({ light: [], dark: [] });
  });
});
