// What attention costs as texts grow, measured here and now: by the book (a matrix of all pairs), flash, flash with a window, and
// linear. Time is the best of several runs, memory the most that the engine held beside inputs while one ran.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { stopIfInterrupted } from "../host.ts";
import { drain, native } from "../native.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { attentionCostFigure } from "../plot/attention-cost.ts";
import { Figure } from "../plot/figure.ts";
import { showProgress } from "../progress.ts";
import { type Provenance, provenance } from "../provenance.ts";
import { nn, scope, type Tensor, tensor } from "../tensor/index.ts";

export interface AttentionCostOptions {
  /** In tokens, increasing. */
  lengths?: readonly number[];
  /** Query heads, and how wide each is; keys and values are as many. */
  heads?: number;
  /** Of each head: 64. */
  headWidth?: number;
  /** Keys that a query sees in the window's case. */
  window?: number;
  /** Runs at each length; the fastest counts. */
  repeats?: number;
}

export interface AttentionCostRow {
  method: "naive" | "flash" | "window" | "linear";
  length: number;
  seconds: number;
  bytes: number;
}

/** The matrix of all pairs may take so much; lengths beyond are left out for it. */
const NAIVE_BYTES = 1.5e9;

type Method = (q: Tensor, k: Tensor, v: Tensor) => Tensor;

/**
 * What attention costs on this machine as texts grow: by the book (a matrix of all pairs), flash, flash with a window, and
 * linear. Seconds are the best of `repeats`, bytes the most that the engine held beside the inputs while one ran. A length
 * whose matrix of pairs would take more than 1.5 GB is left out for it.
 * @throws LensorError for fewer than two lengths, or an option out of range
 */
export async function attentionCost(options: AttentionCostOptions = {}): Promise<AttentionCost> {
  checkNames("attentionCost", options, ["lengths", "heads", "headWidth", "window", "repeats"]);
  const { lengths = [256, 512, 1024, 2048, 4096, 8192], heads = 9, headWidth = 64 } = options;
  const { window = 256, repeats = 2 } = options;
  if (!Array.isArray(lengths) || lengths.length < 2)
    throw new LensorError("attentionCost: lengths is wrong", {
      expected: "at least two numbers of tokens",
      got: describe(lengths),
    });
  for (const length of lengths) checkNumber("attentionCost", "lengths", length, { least: 2, whole: true });
  for (const [name, value] of Object.entries({ heads, headWidth, window, repeats }))
    checkNumber("attentionCost", name, value, { least: 1, whole: true });
  const methods: Record<AttentionCostRow["method"], Method> = {
    naive,
    flash: (q, k, v) => nn.attention(q, k, v, { causal: true }),
    window: (q, k, v) => nn.attention(q, k, v, { causal: true, window }),
    linear: (q, k, v) => nn.linearAttention(q, k, v),
  };
  const progress = showProgress("Attention at growing lengths", lengths.length, {
    amount: (done, total) => `${done} of ${total} lengths`,
    afterMs: 1000,
  });
  const rows: AttentionCostRow[] = [];
  try {
    for (const [i, length] of [...lengths].sort((a, b) => a - b).entries()) {
      const [q, k, v] = [1, 2, 3].map((seed) => tensor.randn([heads, length, headWidth], { seed })) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      for (const [method, run] of Object.entries(methods) as [AttentionCostRow["method"], Method][]) {
        stopIfInterrupted();
        if (method === "naive" && heads * length * length * 4 * 2 > NAIVE_BYTES) continue;
        const once = () => scope(() => run(q, k, v));
        const bytes = await mostHeld(once);
        rows.push({ method, length, seconds: await fastest(once, repeats), bytes });
      }
      for (const x of [q, k, v]) x.dispose();
      progress.update(i + 1);
    }
    progress.end(`Attention measured at ${lengths.length} lengths`);
  } catch (error) {
    progress.end("Stopped: not all lengths were measured");
    throw error;
  }
  return new AttentionCost(rows, { heads, headWidth, window, repeats });
}

/** softmax(q k^T / sqrt(d)) v with the matrix of all pairs in memory. */
function naive(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const [, T, d] = q.shape as [number, number, number];
  const past = tensor.arange(T).unsqueeze(1).ge(tensor.arange(T));
  return q
    .matmul(k.transpose(1, 2))
    .div(Math.sqrt(d))
    .where(past, Number.NEGATIVE_INFINITY)
    .softmax(-1)
    .matmul(v);
}

async function fastest(run: () => Tensor, repeats: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repeats; i++) {
    const began = performance.now();
    const result = run();
    await done(result);
    least = Math.min(least, performance.now() - began);
    result.dispose();
  }
  return least / 1000;
}

/** The most bytes that the engine held at once while it ran, beyond those before. */
async function mostHeld(run: () => Tensor): Promise<number> {
  // What earlier runs held is given back when the queue has come to it.
  await drain();
  const before = native().memory().live;
  native().markMemory();
  const result = run();
  await done(result);
  const most = native().memory().marked - before;
  result.dispose();
  return most;
}

/** Waits for a result without copying it. The view that is read would else hold the memory until the collector finds it. */
async function done(result: Tensor): Promise<void> {
  const first = result.at(0, 0, 0);
  await first.item();
  first.dispose();
}

/** Time and memory at each length. */
export class AttentionCost {
  /** One a method and length. */
  readonly rows: readonly AttentionCostRow[];
  /** What it was measured with. */
  readonly provenance: Provenance;
  readonly #about: { heads: number; headWidth: number; window: number; repeats: number };

  /** @internal Use `attentionCost()`. */
  constructor(
    rows: AttentionCostRow[],
    about: { heads: number; headWidth: number; window: number; repeats: number },
  ) {
    this.rows = rows;
    this.#about = about;
    this.provenance = provenance("attention", about);
  }

  /** Both against length, on logarithmic axes. */
  plot(): Figure {
    const { threads, isa } = native().info();
    return new Figure(() => attentionCostFigure({ rows: this.rows, ...this.#about, threads, isa }));
  }

  /** One row a method and length: method, length, seconds, bytes. */
  table(): Table {
    return tableFromArrays({
      method: this.rows.map(({ method }) => method),
      length: Int32Array.from(this.rows, ({ length }) => length),
      seconds: Float64Array.from(this.rows, ({ seconds }) => seconds),
      bytes: Float64Array.from(this.rows, ({ bytes }) => bytes),
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
