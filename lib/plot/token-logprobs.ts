// A reply, token by token: how probable each was when it was chosen. Pure.

import { quoted } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { categories, fonts, layoutOf, markup } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface TokenLogprobsInput {
  tokens: readonly string[];
  /** Natural logarithms, one a token. */
  logprobs: ArrayLike<number>;
  model: string;
}

/** Bars at most; longer replies show means over neighbours. */
const most = 256;

export function tokenLogprobs(input: TokenLogprobsInput): PlotlySpec {
  const { tokens, logprobs, model } = input;
  const T = tokens.length;
  const step = Math.max(1, Math.ceil(T / most));
  const bars = Math.ceil(T / step);
  const x = Array.from({ length: bars }, (_, i) => i);
  const surprise = x.map((bar) => {
    const end = Math.min(T, (bar + 1) * step);
    let sum = 0;
    for (let i = bar * step; i < end; i++) sum -= logprobs[i]!;
    return Math.max(0, sum / (end - bar * step));
  });
  let total = 0;
  let worst = 0;
  for (let i = 0; i < T; i++) {
    total -= logprobs[i]!;
    if (logprobs[i]! < logprobs[worst]!) worst = i;
  }
  const perplexity = Math.exp(total / Math.max(1, T));
  const ticks = tokenTicks(tokens);
  const room = labelRoom(ticks);
  const worstBar = Math.floor(worst / step);
  const values = bars <= 24;
  return {
    data: [
      {
        type: "bar",
        x,
        y: surprise.map((value) => Number(value.toPrecision(3))),
        customdata: x.map((bar) => {
          const at = bar * step;
          const name = `${markup(visibleToken(tokens[at]!, 16))} ${at}`;
          return step > 1
            ? `${name} …, mean of ${step}`
            : `${name}<br>probability ${formatValue(Math.exp(logprobs[at]!))}`;
        }),
        text: surprise.map((value, bar) => (values || bar === worstBar ? formatValue(value) : "")),
        textposition: "outside",
        textangle: 0,
        constraintext: "none",
        cliponaxis: false,
        marker: { color: x.map((bar) => (bar === worstBar ? categories[3] : categories[0])) },
        hovertemplate: "%{customdata}<br>surprise %{y} nats<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({
        title: T
          ? `Least expected was ${quoted(tokens[worst])}, with probability ${formatValue(Math.exp(logprobs[worst]!))}; perplexity ${formatValue(perplexity)}`
          : "An empty reply",
        subtitle: `${model}, ${T} tokens${step > 1 ? `, means over ${step} neighbours` : ""}; surprise is −ln p of each token when it was chosen`,
        height: 320 + room,
        margin: { l: 60, r: 16, t: 90, b: room + 40 },
      }),
      bargap: 0.15,
      xaxis: {
        ...ticks,
        tickvals: ticks.tickvals.map((i) => i / step),
        tickfont: { family: fonts.token, size: 11 },
        tickangle: -90,
        title: { text: "token", standoff: 6 },
        range: [-0.6, Math.max(1, bars) - 0.4],
      },
      yaxis: { title: { text: "surprise (nats)" }, showgrid: true, rangemode: "tozero" },
    },
  };
}
