// What a model answered: the text, its tokens and how probable each was. Shows itself as the text; plots surprise by token.

import { type Table, tableFromArrays } from "apache-arrow";
import { Figure, type MimeBundle } from "../plot/figure.ts";
import { formatValue } from "../plot/format.ts";
import { escapeHtml } from "../plot/html.ts";
import { tokenLogprobs } from "../plot/token-logprobs.ts";
import type { Provenance } from "../provenance.ts";
import type { LiveReply } from "./live.ts";

export interface Timing {
  /** Tokens that were read before the first was drawn, and how long that took. */
  readonly promptTokens: number;
  readonly promptSeconds: number;
  /** From the first token to the last. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

export interface ReplyParts {
  text: string;
  tokens: number[];
  logprobs: number[];
  finish: "stop" | "length" | "aborted";
  /** The end token that it came to, where it did. */
  end?: number;
  timing: Timing;
  provenance: Provenance;
  /** The text of each token. */
  pieces: string[];
  /** What was continued, to be shown in front of it. */
  opening: string;
  live?: LiveReply | undefined;
}

/**
 * What a model answered: the text, its tokens, and how probable each was. Shows itself as the text; `plot()` draws surprise
 * by token.
 */
export class Reply {
  /** The continuation alone. */
  readonly text: string;
  /** Its ids; an end token is left out. */
  readonly tokens: number[];
  /** ln p of each token by the model's own distribution, before temperature and penalties. */
  readonly logprobs: number[];
  /** `"stop"`: an end token or a stop string came; `"length"`: maxTokens or the context were reached. */
  readonly finish: "stop" | "length" | "aborted";
  /** Seconds, and tokens a second, of reading the prompt and of writing. */
  readonly timing: Timing;
  /** What made it: model, data, options, seed, versions. */
  readonly provenance: Provenance;
  readonly #pieces: string[];
  readonly #opening: string;
  readonly #live: LiveReply | undefined;

  constructor(parts: ReplyParts) {
    this.text = parts.text;
    this.tokens = parts.tokens;
    this.logprobs = parts.logprobs;
    this.finish = parts.finish;
    this.timing = parts.timing;
    this.provenance = parts.provenance;
    this.#pieces = parts.pieces;
    this.#opening = parts.opening;
    this.#live = parts.live;
  }

  /** How surprising each token was. */
  plot(): Figure {
    const { logprobs, provenance } = this;
    return new Figure(() => tokenLogprobs({ tokens: this.#pieces, logprobs, model: provenance.model }));
  }

  /** One row a token: position, id, token, logprob, probability. */
  table(): Table {
    return tableFromArrays({
      position: Int32Array.from(this.tokens.keys()),
      id: Int32Array.from(this.tokens),
      token: this.#pieces,
      logprob: Float64Array.from(this.logprobs),
      probability: Float64Array.from(this.logprobs, Math.exp),
    });
  }

  /** In the cell that streamed it, its text is there already and only the last line is added. */
  [Symbol.for("Jupyter.display")](): MimeBundle | undefined {
    const bundle = replyBundle(this.text, this.#opening, this.#summary());
    return this.#live?.finish(bundle) ? undefined : bundle;
  }

  #summary(): string {
    const { tokens, timing, finish, provenance } = this;
    const why = { stop: "ended by itself", length: "cut at its length", aborted: "aborted" }[finish];
    const speed = tokens.length > 1 ? `${formatValue(timing.tokensPerSecond)} a second` : "";
    const seed = provenance.seed === undefined ? "" : `seed ${provenance.seed}`;
    const mode = `${String(provenance.options.compute)} mode`;
    return [`${tokens.length} tokens`, speed, why, mode, seed].filter(Boolean).join(" · ");
  }
}

/** Characters of what was continued that are shown: its end, to read on from. */
const openingShown = 200;

/** The text after a quiet end of what it continues, with a quiet line below it where there is something to say. */
export function replyBundle(text: string, opening = "", summary = ""): MimeBundle {
  const muted = "color:var(--jp-content-font-color2,GrayText)";
  const characters = Array.from(opening);
  const end = characters.slice(-openingShown).join("");
  const before =
    end && `<span style="${muted}">${characters.length > openingShown ? "…" : ""}${escapeHtml(end)}</span>`;
  const body = `<div style="white-space:pre-wrap;max-width:80ch;line-height:1.5;font-family:var(--jp-content-font-family,system-ui,sans-serif)">${before}${escapeHtml(text)}</div>`;
  return {
    "text/plain": text,
    "text/html": summary ? `${body}<div style="${muted};font-size:12px">${escapeHtml(summary)}</div>` : body,
  };
}
