// The logit lens: the residual stream at every layer through the final norm and the head, as the k most probable tokens.

import { type Table, tableFromArrays } from "apache-arrow";
import { native } from "../native.ts";
import { checkNumber } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { type LensGuess, logitLens } from "../plot/logit-lens.ts";
import { Tensor } from "../tensor/index.ts";
import type { Trace } from "./trace.ts";

/** Positions that the figure shows at most: it computes no others. */
const SHOWN = 160;

/** `[layer][position][k]`, the most probable first; layer `layers` is the model's own output. */
export interface LensData {
  top: LensGuess[][][];
}

/**
 * The logit lens (nostalgebraist 2020): the residual stream at every layer through the final norm and the head, as the k
 * most probable tokens.
 */
export class LogitLens {
  readonly trace: Trace;
  readonly topK: number;
  readonly #residual: Tensor;
  #data: Promise<LensData> | undefined;

  constructor(trace: Trace, residual: Tensor, topK = 5) {
    checkNumber("trace.logitLens", "topK", topK, {
      least: 1,
      most: Math.min(1000, trace.model.config.vocabulary),
      whole: true,
    });
    this.trace = trace;
    this.topK = topK;
    this.#residual = residual;
  }

  data(): Promise<LensData> {
    return (this.#data ??= this.#guesses(0));
  }

  plot(): Figure {
    const { layers } = this.trace.model.config;
    return new Figure(async () => {
      const from = this.#data ? 0 : Math.max(0, this.trace.ids.length - SHOWN);
      const { top } = from === 0 ? await this.data() : await this.#guesses(from);
      const none = Array.from({ length: from }, (): LensGuess[] => []);
      const rows = from === 0 ? top : top.map((row) => [...none, ...row]);
      return logitLens({ layers: layers + 1, top: rows, ...this.trace.about });
    });
  }

  /** One row a layer, position and guess: layer, position, rank, token, id, probability. */
  async table(): Promise<Table> {
    const { top } = await this.data();
    const rows = top.flatMap((row, layer) =>
      row.flatMap((guesses, position) => guesses.map((guess, rank) => ({ layer, position, rank, ...guess }))),
    );
    return tableFromArrays({
      layer: Int32Array.from(rows, (row) => row.layer),
      position: Int32Array.from(rows, (row) => row.position),
      rank: Int32Array.from(rows, (row) => row.rank),
      token: rows.map((row) => row.token),
      id: Int32Array.from(rows, (row) => row.id),
      probability: Float32Array.from(rows, (row) => row.probability),
    });
  }

  async #guesses(from: number): Promise<LensData> {
    const { model, ids } = this.trace;
    const { layers, width } = model.config;
    const [rows, k] = [ids.length - from, this.topK];
    const stream = this.#residual.at(null, [from, ids.length]).reshape([(layers + 1) * rows, width]);
    const { buffer, view } = stream.native();
    const found = native().lens(model.native(), buffer, view, k);
    const shape = [(layers + 1) * rows, k];
    const chosen = [
      Tensor.fromBuffer(found[0], shape, "f32", "lens"),
      Tensor.fromBuffer(found[1], shape, "i64", "lens"),
    ];
    const [probabilities, tokens] = await Promise.all(chosen.map((one) => one.data()));
    for (const one of chosen) one.dispose();
    const guess = (at: number): LensGuess => {
      const id = Number(tokens![at]);
      return { id, token: model.tokenizer.token(id), probability: Number(probabilities![at]) };
    };
    const top = Array.from({ length: layers + 1 }, (_, layer) =>
      Array.from({ length: rows }, (_, position) =>
        Array.from({ length: k }, (_, rank) => guess((layer * rows + position) * k + rank)),
      ),
    );
    return { top };
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
