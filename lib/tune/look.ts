// How an adapter shows itself: its card, a picture and a table of how far it moves each matrix. Looks at one matrix at a time.

import { type Table, tableFromArrays } from "apache-arrow";
import { expectedTensors } from "../model/config.ts";
import { unpacked } from "../model/weights.ts";
import { adapterGrid } from "../plot/adapter-grid.ts";
import { card } from "../plot/card.ts";
import { Figure, type MimeBundle } from "../plot/figure.ts";
import { formatBytes, formatParameters } from "../plot/format.ts";
import { cat } from "../tensor/join.ts";
import { scope } from "../tensor/scope.ts";
import type { Adapter } from "./adapter.ts";
import { LINEAR, type Linear, partOf } from "./targets.ts";

/** |W' - W| / |W| of each adapted matrix, Frobenius norms, in the order of its parts. */
async function changesOf(adapter: Adapter): Promise<number[]> {
  const tuned = adapter.model();
  try {
    const ratios = [...adapter.parts.keys()].map((name) =>
      scope(() => {
        const before = unpacked(adapter.base, name);
        const change = unpacked(tuned, name).sub(before);
        return change.pow(2).sum().div(before.pow(2).sum()).sqrt().reshape(1);
      }),
    );
    const all = await scope(() => cat(ratios)).data();
    for (const one of ratios) one.dispose();
    return Array.from(all, Number);
  } finally {
    tuned.dispose();
  }
}

export function adapterPlot(adapter: Adapter): Figure {
  return new Figure(async () => {
    const changes = await changesOf(adapter);
    const { layers } = adapter.base.config;
    const names = [...adapter.parts.keys()];
    const parts = (Object.keys(LINEAR) as Linear[]).filter((part) =>
      names.some((name) => partOf(name) === part),
    );
    const rows = parts.map(() => new Array<number | null>(layers).fill(null));
    names.forEach((name, i) => {
      rows[parts.indexOf(partOf(name)!)]![Number(name.split(".")[1])] = changes[i]!;
    });
    return adapterGrid({
      ...{ model: adapter.base.name, kind: kindWords(adapter), layers, parts, changes: rows },
    });
  });
}

/** One row a matrix: name, rank, parameters, and how far it is moved. */
export async function adapterTable(adapter: Adapter): Promise<Table> {
  const changes = await changesOf(adapter);
  const shapes = expectedTensors(adapter.base.config);
  const parts = [...adapter.parts];
  return tableFromArrays({
    name: parts.map(([name]) => name),
    shape: parts.map(([name]) => shapes.get(name)!.join(" × ")),
    rank: Int32Array.from(parts, ([, { parameters }]) => parameters.lora_a?.shape[0] ?? 0),
    parameters: Float64Array.from(parts, ([, { parameters }]) => countOf(Object.values(parameters))),
    change: Float64Array.from(changes),
  });
}

export function adapterCard(adapter: Adapter): MimeBundle {
  const parameters = adapter.parameters();
  const count = countOf(parameters);
  return card({
    title: `Adapter of ${adapter.base.name}`,
    facts: [
      ["kind", kindWords(adapter)],
      ["parameters", `${formatParameters(count)} beside ${formatParameters(adapter.base.config.parameters)}`],
      ["in memory", formatBytes(4 * count)],
      ["matrices", String(adapter.parts.size)],
    ],
    next: ["adapter.model()", "adapter.plot()", "adapter.save(folder)", "adapter.merge()"],
  });
}

/** "lora, rank 8" */
export function kindWords({ name, options, parts }: Adapter): string {
  const ranks = [...new Set([...parts.values()].map(({ parameters }) => parameters.lora_a?.shape[0]))];
  const rank = ranks.length === 1 && ranks[0] !== undefined ? `, rank ${ranks[0]}` : "";
  return `${options.dora === true ? "dora" : name}${rank}`;
}

function countOf(tensors: readonly { shape: readonly number[] }[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
