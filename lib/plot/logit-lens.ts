// What each layer would say next: the most probable token at every layer and position, coloured by its probability. Pure.
// The lens: the residual stream entering a layer through the final norm and the head (nostalgebraist 2020).

import { quoted } from "./attention-parts.ts";
import { cellTexts } from "./colour.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { fonts, layoutOf, markup, sequential } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface LensGuess {
  token: string;
  id: number;
  probability: number;
}

export interface LogitLensInput {
  tokens: readonly string[];
  /** How many rows `top` has. */
  layers: number;
  /** [layer][position][k], the most probable first; the last row is the model's own output. */
  top: readonly (readonly (readonly LensGuess[])[])[];
  model: string;
  mode: string;
}

const scaled = { cmin: 0, cmax: 1, colorscale: sequential };

/** Positions at most: the last ones of a longer text, since the lens is read cell by cell. */
const most = 160;

export function logitLens(input: LogitLensInput): PlotlySpec {
  const { tokens, layers, top, model, mode } = input;
  const from = Math.max(0, tokens.length - most);
  const shown = tokens.slice(from);
  const room = Math.floor(640 / shown.length / 6.3 - 0.4);
  const z = top.map((row) =>
    row.slice(from).map((guesses) => Number((guesses[0]?.probability ?? 0).toPrecision(3))),
  );
  const words = top.map((row) =>
    row.slice(from).map((guesses) => markup(visibleToken(guesses[0]?.token ?? "", Math.min(9, room)))),
  );
  const depth = shown.length * layers > 2500 ? 2 : 5;
  const hover = top.map((row) =>
    row
      .slice(from)
      .map((guesses, i) =>
        [
          `after ${markup(visibleToken(shown[i]!, 16))} (${from + i})`,
          ...guesses
            .slice(0, depth)
            .map((guess) => `${formatValue(guess.probability)}  ${markup(visibleToken(guess.token, 16))}`),
        ].join("<br>"),
      ),
  );
  const legible = room >= 3;
  const ticks = tokenTicks(shown, 60);
  if (from > 0 && ticks.tickvals[1] !== 1)
    ticks.ticktext = ticks.tickvals.map((i) => `${i + from} ${markup(visibleToken(shown[i]!, 14))}`);
  const below = labelRoom(ticks);
  const cell = legible ? 17 : 12;
  return {
    data: [
      {
        type: "heatmap",
        z,
        customdata: hover,
        coloraxis: "coloraxis",
        xgap: shown.length > 80 ? 0 : 1,
        ygap: 1,
        hovertemplate: "%{customdata}<br>layer %{y}<extra></extra>",
      },
      ...(legible ? [cellTexts(z, words, scaled, { family: fonts.token, size: 10 })] : []),
    ],
    layout: {
      ...layoutOf({
        title: finding(top, layers),
        subtitle: `${model}, ${mode} mode, ${tokens.length} tokens${from ? ` (the last ${most} shown)` : ""}; the most probable next token if the model stopped at each layer`,
        height: Math.min(820, Math.max(160, layers * cell)) + below + 128,
        margin: { l: 52, r: 86, t: 76, b: below + 48 },
      }),
      coloraxis: {
        ...scaled,
        colorbar: {
          x: 1.01,
          xanchor: "left",
          thickness: 10,
          len: 0.6,
          title: { text: "probability" },
          tickvals: [0, 0.25, 0.5, 0.75, 1],
        },
      },
      xaxis: {
        ...ticks,
        tickfont: { family: fonts.token, size: 11 },
        tickangle: -90,
        title: { text: "position (the token read last)", standoff: 6 },
        range: [-0.5, shown.length - 0.5],
      },
      yaxis: {
        title: { text: "layer" },
        range: [-0.5, layers - 0.5],
        tickmode: "linear",
        tick0: 0,
        dtick: layers > 20 ? 5 : layers > 10 ? 2 : 1,
      },
    },
  };
}

/** From which layer on the last position's final answer stays the first choice. */
export function settledAt(top: LogitLensInput["top"]): number {
  const answer = top.at(-1)?.at(-1)?.[0]?.id;
  let layer = top.length - 1;
  while (layer > 0 && top[layer - 1]!.at(-1)?.[0]?.id === answer) layer--;
  return layer;
}

function finding(top: LogitLensInput["top"], layers: number): string {
  const last = top.at(-1)?.at(-1)?.[0];
  if (!last) return "What each layer would say next";
  return `The next token, ${quoted(last.token)} (${formatValue(last.probability)}), is first choice from layer ${settledAt(top)} of ${layers - 1} on`;
}
