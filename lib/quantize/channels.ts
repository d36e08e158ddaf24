// What makes a model hard to round: how large each channel of what enters its matrices is, and how weights and activations are
// spread. Looks only; on the texts that it is given.

import { type Table, tableFromArrays } from "apache-arrow";
import { calibrate } from "../calibrate/walk.ts";
import type { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { checkNames } from "../options.ts";
import { Figure } from "../plot/figure.ts";
import { matrixGrid } from "../plot/matrix-grid.ts";
import { spreads } from "../plot/spreads.ts";
import { type Provenance, provenance } from "../provenance.ts";

/** What enters some matrices of a block. */
export interface ChannelRow {
  readonly layer: number;
  /** The first matrix that reads it: "attn_q", "attn_output", "ffn_gate" or "ffn_down". */
  readonly input: string;
  /** Its largest channel, and how many times the middle one that is. */
  readonly channel: number;
  readonly largest: number;
  readonly times: number;
}

/**
 * What makes a model hard to round, matrix by matrix: how large each channel of what enters is, and how weights and
 * activations are spread.
 */
export class Channels {
  readonly rows: readonly ChannelRow[];
  readonly provenance: Provenance;
  readonly #model: Model;
  readonly #samples: ReadonlyMap<string, Float32Array>;

  /** @internal Use `channels(model, texts)`. */
  constructor(
    model: Model,
    rows: readonly ChannelRow[],
    samples: ReadonlyMap<string, Float32Array>,
    facts: object,
  ) {
    this.#model = model;
    this.rows = rows;
    this.#samples = samples;
    this.provenance = provenance(model.name, { ...facts });
  }

  /** One row an input: layer, input, channel, largest, times. */
  table(): Table {
    const whole = (name: "layer" | "channel") => Int32Array.from(this.rows, (row) => row[name]);
    return tableFromArrays({
      ...{ layer: whole("layer"), input: this.rows.map(({ input }) => input), channel: whole("channel") },
      largest: Float32Array.from(this.rows, ({ largest }) => largest),
      times: Float32Array.from(this.rows, ({ times }) => times),
    });
  }

  /** Layers across, inputs down: how many times the middle channel the largest one is. */
  plot(): Figure {
    const parts = ["attn_q", "attn_output", "ffn_gate", "ffn_down"];
    const at = (part: number, layer: number) =>
      this.rows.find((row) => row.input === parts[part] && row.layer === layer)!;
    const most = this.rows.reduce((a, b) => (b.times > a.times ? b : a));
    // By factors: one channel of one input may be a thousand times the others' largest.
    const times = (value: number) => `${value >= 10 ? Math.round(value) : value.toPrecision(2)}×`;
    return new Figure(() =>
      matrixGrid({
        title: `Layer ${most.layer}: one channel of what enters ${most.input} is ${times(most.times)} the middle one`,
        subtitle: `${this.#model.name}: the largest |x| of a channel, against that of the middle channel of the same input`,
        ...{
          layers: this.#model.config.layers,
          parts,
          bar: "largest / middle",
          words: (value) => times(10 ** value),
        },
        values: parts.map((_, part) =>
          Array.from({ length: this.#model.config.layers }, (_, layer) => Math.log10(at(part, layer).times)),
        ),
        more: (part, layer) =>
          `<br>channel ${at(part, layer).channel}, up to ${at(part, layer).largest.toPrecision(3)}`,
      }),
    );
  }

  /** How a matrix's weights, and what it meets, are spread: counts by size, in parts of the largest. */
  histogram({ layer, input }: { layer: number; input: string }): Figure {
    const name = `blk.${layer}.${input}.weight`;
    return new Figure(async () => {
      const weights = unpacked(this.#model, name);
      const values = (await weights.data()) as Float32Array;
      weights.dispose();
      return spreads({
        model: this.#model.name,
        name,
        weights: values,
        activations: this.#samples.get(`${layer}.${input}`)!,
      });
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

/**
 * What makes a model hard to round: how large each channel of what enters its matrices is, and how weights and activations
 * are spread. Looks at what enters on some texts, and changes nothing.
 * @param texts A list, or a dataset with a column `text`
 */
export async function channels(
  model: Model,
  texts: unknown,
  options: { signal?: AbortSignal } = {},
): Promise<Channels> {
  checkNames("channels", options, ["signal"]);
  const rows: ChannelRow[] = [];
  const samples = new Map<string, Float32Array>();
  const facts = await calibrate(
    model,
    texts,
    async ({ layer, names, maxAbs, sample }) => {
      const input = names[0]!.split(".")[2]!;
      const [most, some] = (await Promise.all([maxAbs.data(), sample.data()])) as [
        Float32Array,
        Float32Array,
      ];
      const channel = most.reduce((best, value, i) => (value > most[best]! ? i : best), 0);
      const middle = [...most].sort((a, b) => a - b)[most.length >> 1]!;
      rows.push({ layer, input, channel, largest: most[channel]!, times: most[channel]! / middle });
      samples.set(`${layer}.${input}`, some.slice(0, 1 << 16));
      return undefined;
    },
    { call: "channels", label: "channels", signal: options.signal, sampled: 64 },
  );
  return new Channels(model, rows, samples, facts);
}
