// The picture of a run as a screen shows it, in both themes: no label under 10 pixels, none over another, none outside. Drawn by
// the Plotly that our extension carries, at a cell's width.

import { describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../lib/index.ts";
import { type TrainingInput, trainingFigure } from "../../lib/plot/training.ts";
import { drawBoth, plotlyPage } from "./drawn-labels.ts";
import { browserPath } from "./lab.ts";

const WIDTH = 860;
const STEPS = 100;
const noise = (i: number) => Math.abs((Math.sin(i * 12.9898) * 43758.5453) % 1) - 0.5;
const risen = (step: number) => 0.2 + 0.6 * (1 - Math.exp(-step / 40));

function input(columns: readonly string[], panels: Record<string, string>): TrainingInput {
  const isReward = columns.includes("reward");
  return {
    facts: {
      ...{
        call: "model.reinforce",
        name: "smollm2-135m-instruct",
        objective: "grpo",
        steps: STEPS,
        columns,
        panels,
      },
      provenance: { model: "m", options: {}, versions: { lensor: "0", node: "0", isa: "scalar" } },
    },
    rows: Array.from({ length: STEPS }, (_, i) => ({
      ...{
        step: i + 1,
        loss: 3 - risen(i) + 0.2 * noise(i),
        lr: 1e-3 * (1 - i / STEPS),
        gradNorm: 1.5 + noise(3 * i),
      },
      ...{ tokensPerSecond: 250, evalLoss: !isReward && i % 10 === 9 ? 3 - risen(i) : null },
      ...(isReward && {
        ...{
          reward: risen(i) + 0.2 * noise(i),
          kl: 0.02 * i,
          length: 40 + 4 * noise(2 * i),
          entropy: 2 - risen(i),
        },
        ...(i % 10 === 9 && { evalReward: risen(i) - 0.03 }),
      }),
    })),
    ...{ marks: [], undone: [], parts: 1, seconds: 200, state: "done" },
    startLoss: isReward ? null : 2.8,
    startReward: isReward ? 0.21 : null,
  };
}

const figures: Record<string, () => PlotlySpec> = {
  "a run that learns text": () => trainingFigure(input([], {})),
  "a run that learns from rewards, with held-out ones": () =>
    trainingFigure(
      input(["reward", "kl", "length", "entropy", "evalReward"], {
        kl: "KL, nats a reply from the model it began as",
        length: "length, tokens a reply",
        entropy: "entropy, nats a token of what is drawn",
      }),
    ),
};

describe.skipIf(!browserPath)("drawn in a browser", () => {
  const page = plotlyPage(WIDTH);
  test.each(Object.keys(figures))("%s", async (name) => {
    expect(await drawBoth(page(), figures[name]!(), WIDTH, `training-${name}`)).toEqual({
      light: [],
      dark: [],
    });
  });
});
