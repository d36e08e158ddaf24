// A person's ranking: answers that differ, what is chosen as pairs, and a reward that learns from them. Small random models;
// that the buttons are ipywidgets' own is tested with the other inputs.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lora, type Model, rewardModel } from "../../../lib/index.ts";
import { Harness } from "../../kernel/session/harness.ts";
import { Page } from "../../kernel/session/page.ts";
import { randomModel } from "../model/random-model.ts";
import { loadRandom, SMALL, saved } from "../model/temporary.ts";

describe("model.rank", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadRandom({ end: true });
  });
  const options = { answers: 3, maxTokens: 6, seed: 3 };

  it("draws answers that differ, the same for the same seed, and nothing is chosen at first", async () => {
    const ranking = await model.rank(["the", "a hand"], options);
    expect(ranking.questions.map(({ answers }) => new Set(answers).size)).toEqual([3, 3]);
    expect(ranking.ranks).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(ranking.pairs()).toEqual([]);
    expect((await model.rank(["the", "a hand"], options)).questions).toEqual(ranking.questions);
  });

  it("makes pairs of what was ranked, none of ties and of what was not", async () => {
    const ranking = await model.rank(["the", "a hand"], options);
    const [first, second] = ranking.inputs;
    first![0]!.value = 2;
    first![1]!.value = 1;
    first![2]!.value = 2;
    second![0]!.value = 1;
    const [a, b, c] = ranking.questions[0]!.answers;
    expect(ranking.pairs()).toEqual([
      { prompt: "the", chosen: b, rejected: a },
      { prompt: "the", chosen: b, rejected: c },
    ]);
    expect(String(ranking)).toContain(`[1] ${b}`);
    expect((await ranking.dataset().toArrow()).numRows).toBe(2);
  });

  it("teaches a reward what the person likes", async () => {
    const ranking = await model.rank(["the", "a hand", "and"], options);
    for (const all of ranking.inputs) for (const [i, input] of all.entries()) input.value = i + 1;
    const reward = await model.align(ranking.dataset(), rewardModel(), {
      ...{ adapter: lora({ rank: 4, seed: 1 }), steps: 20, batch: 3, lr: 0.01, seed: 1 },
    });
    for (const { prompt, answers } of ranking.questions) {
      const [best, , worst] = await Promise.all(answers.map((answer) => reward(prompt, answer)));
      expect(best!).toBeGreaterThan(worst!);
    }
  });

  it("says what is wrong", async () => {
    await expect(model.rank([], options)).rejects.toThrow(/needs prompts/);
    await expect(model.rank([""], options)).rejects.toThrow(/none of them empty/);
    await expect(model.rank(["a"], { answers: 1 })).rejects.toThrow(/answers is wrong/);
    await expect(model.rank(["a"], { maxToken: 1 } as never)).rejects.toThrow(/no option "maxToken"/);
  });
});

describe("a ranking in a cell", () => {
  const page = new Page();
  let session: Harness;
  const changed: (readonly string[])[] = [];
  beforeAll(() => {
    session = new Harness({ comms: page.comms });
    session.process.onChanged = (_, names) => void changed.push(names);
  });
  afterAll(() => session.close());

  it("shows answers with buttons, and who reads the ranks hears of a click", {
    timeout: 60_000,
  }, async () => {
    const path = saved(randomModel({ ...SMALL, end: true }).bytes);
    const made = await session.run(
      `import { hub } from "lensor";
       const model = await hub.load(${JSON.stringify(path)});
       const ranking = await model.rank(["the <b>"], { answers: 2, maxTokens: 4, seed: 1 });`,
      { cell: "a" },
    );
    expect(made.failure).toBeUndefined();
    const shown = made.outputs.flatMap((output) => ("data" in output ? [output.data] : []));
    const html = shown.map((data) => String(data["text/html"] ?? "")).join("");
    expect(html).toContain("the &lt;b&gt;");
    expect(shown.filter((data) => "application/vnd.jupyter.widget-view+json" in data)).toHaveLength(2);
    const ids = page.all("ToggleButtons").map(([id]) => id);
    expect(ids).toHaveLength(2);
    expect((await session.run("JSON.stringify(ranking.ranks)", { cell: "b" })).text).toContain("[[0,0]]");
    page.move(ids[1]!, { index: 1 });
    page.move(ids[0]!, { index: 2 });
    const pairs = await session.run("ranking.pairs().length + ' ' + ranking.ranks", { cell: "c" });
    expect(pairs.text).toContain("1 2,1");
    expect(changed.flat()).toContain("ranking");
  });
});
