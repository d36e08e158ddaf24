// Which learning rate: some steps whose rate rises by the same factor each time, until the loss runs away (Smith 2017, "Cyclical
// learning rates"). What learns is thrown away.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { checkNumber } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { rateFigure } from "../plot/rate.ts";
import { smoothed } from "../plot/training-parts.ts";
import { type Provenance, provenance } from "../provenance.ts";
import type { Adapts } from "../tune/adapter.ts";
import { readingOf } from "./finetune.ts";
import { Journal, type Row } from "./journal.ts";
import { Learner } from "./learner.ts";
import { nextToken } from "./next-token.ts";
import { Run } from "./run.ts";
import { type RunOptions, settingsOf } from "./start.ts";
import { draw, gather, numberOf, read } from "./step.ts";
import { batchesOf, type TokenData } from "./text.ts";

export interface FindRateOptions
  extends Pick<RunOptions, "batch" | "accumulate" | "precision" | "clip" | "optimizer" | "seed" | "signal"> {
  /** What learns in the model's place; without it a copy of the model does. */
  adapter?: Adapts;
  /** The rates that are tried. */
  from?: number;
  /** The last of them. */
  to?: number;
  /** How many are tried, each a step. */
  steps?: number;
  /** In tokens: longer texts are cut into pieces. */
  length?: number;
}

const DEFAULTS = { from: 1e-6, to: 1, steps: 60 };
/** A smoothed loss so many times the lowest has run away: of a new model it cannot rise much above its start. */
const AWAY = 1.3;

export function findRate(model: Model, data: TokenData, options: FindRateOptions = {}): Run<RateSearch> {
  const call = "model.findRate";
  const { adapter: kind, from = DEFAULTS.from, to = DEFAULTS.to, length, ...rest } = options;
  const settings = settingsOf(call, { steps: DEFAULTS.steps, ...rest });
  const { steps, seed, clip, accumulate } = settings;
  checkNumber(call, "from", from, { least: 0, above: true });
  checkNumber(call, "to", to, { least: from, above: true });
  const reading = readingOf(call, model, { ...(length !== undefined && { length }) }, settings);
  const batches = batchesOf(call, model, data, reading);
  const objective = nextToken();
  const about = { from, to, steps, batch: settings.batch, ...(kind && { adapter: { name: kind.name } }) };
  const made = provenance(model.name, about, seed);
  const journal = new Journal({
    ...{ call, name: model.name, objective: objective.name, steps, columns: [], panels: {} },
    provenance: made,
  });
  return new Run(
    journal,
    async (steering) => {
      const copy = kind ? undefined : await model.copy();
      const adapter = kind?.on(model, { seed });
      const learner = new Learner({ ...settings, model: copy ?? model, adapter });
      const optimizer = settings.optimizer(learner.parameters, {
        lr: from,
        ...(clip !== undefined && { clip }),
      });
      const { rows } = journal;
      while (rows.length < steps && (await steering.proceed())) {
        const began = performance.now();
        learner.tokens = 0;
        const gathered = gather(learner, objective, await draw(batches, accumulate));
        optimizer.lr = from * (to / from) ** (rows.length / Math.max(1, steps - 1));
        const norm = optimizer.measure();
        const [loss, gradNorm] = await Promise.all([
          numberOf(gathered.loss),
          numberOf(norm),
          read(gathered.notes),
        ]);
        for (const one of [gathered.loss, norm]) one.dispose();
        if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) break;
        optimizer.step();
        optimizer.zeroGrad();
        const seconds = (performance.now() - began) / 1000;
        learner.step++;
        const more = {
          evalLoss: null,
          lr: optimizer.lr,
          gradNorm,
          tokensPerSecond: learner.tokens / seconds,
        };
        rows.push({ step: learner.step, loss, ...more });
        journal.seconds += seconds;
        await steering.report();
        const smooth = smoothed(rows, steps).map((row) => row.loss!);
        if (smooth.at(-1)! > AWAY * Math.min(...smooth)) break;
      }
      optimizer.zeroGrad();
      await batches.return?.();
      // Only now: a copy's tensors are the learner's until then.
      copy?.settle();
      copy?.dispose();
      return new RateSearch([...rows], steps, made);
    },
    { signal: settings.signal },
  );
}

/**
 * What a search for a learning rate found (Smith 2017, "Cyclical learning rates"): the loss at ever higher rates, until it
 * ran away.
 */
export class RateSearch {
  /** One step each, of which the rate rises. */
  readonly rows: readonly Row[];
  /** A tenth of the rate at which the loss was lowest: as high as is safe. */
  readonly rate: number;
  /** Where the loss ran away; undefined where it never did. */
  readonly limit: number | undefined;
  readonly provenance: Provenance;
  readonly #smooth: readonly Row[];

  /** @internal Use `model.findRate`. @throws LensorError where too few steps were taken to tell */
  constructor(rows: readonly Row[], steps: number, made: Provenance) {
    if (rows.length < 4)
      throw new LensorError("model.findRate ended too early to tell a rate", {
        expected: "at least four steps before the loss runs away or the run is stopped",
        got: String(rows.length),
        fix: "Begin with a lower rate: { from: 1e-7 }.",
      });
    this.rows = rows;
    this.provenance = made;
    this.#smooth = smoothed(rows, steps);
    const losses = this.#smooth.map(({ loss }) => loss!);
    const lowest = losses.indexOf(Math.min(...losses));
    this.rate = rows[lowest]!.lr! / 10;
    this.limit = rows.length < steps ? rows.at(-1)!.lr! : undefined;
  }

  /** Loss against rate. */
  plot(): Figure {
    const { rate, limit, rows } = this;
    return new Figure(() =>
      rateFigure({ rows, smooth: this.#smooth, rate, limit, model: this.provenance.model }),
    );
  }

  /** One row a step: lr, loss, smoothed, gradNorm. */
  table(): Table {
    const of = (rows: readonly Row[], name: string) => Float64Array.from(rows, (row) => row[name]!);
    return tableFromArrays({
      lr: of(this.rows, "lr"),
      loss: of(this.rows, "loss"),
      smoothed: of(this.#smooth, "loss"),
      gradNorm: of(this.rows, "gradNorm"),
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
