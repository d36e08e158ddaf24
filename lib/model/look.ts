// How a model shows itself: its card, a table of its tensors, a picture of where its bytes are.

import { type Table, tableFromArrays } from "apache-arrow";
import { card } from "../plot/card.ts";
import { Figure, type MimeBundle } from "../plot/figure.ts";
import { formatBytes, formatCount, formatParameters } from "../plot/format.ts";
import { modelAnatomy } from "../plot/model-anatomy.ts";
import { kindWords } from "../tune/look.ts";
import { activeParametersOf } from "./architecture.ts";
import type { ModelConfig, ModelTensor } from "./config.ts";
import type { Model } from "./model.ts";
import { ropeFacts } from "./rope-scaling.ts";

export function modelCard({ name, config, tensors, bytes, context, adapter }: Model): MimeBundle {
  const dtypes = new Map<string, number>();
  for (const { type, bytes } of tensors) dtypes.set(type, (dtypes.get(type) ?? 0) + bytes);
  return card({
    title: name,
    facts: [
      ["architecture", config.architecture],
      ["parameters", formatParameters(config.parameters)],
      ...expertFacts(config),
      ["in memory", formatBytes(bytes)],
      ...(adapter ? [["adapter", kindWords(adapter)] as [string, string]] : []),
      ["context", `${formatCount(context)} tokens`],
      ...ropeFacts(config.ropeScaling),
      ["layers", String(config.layers)],
      ["width", String(config.width)],
      ["heads", `${config.heads} query, ${config.kvHeads} key-value`],
      ["vocabulary", formatCount(config.vocabulary)],
    ],
    bar: [...dtypes].sort((a, b) => b[1] - a[1]).map(([label, bytes]) => ({ label, bytes })),
    next: ["model.generate(text)", "model.trace(text)", "model.plot()"],
  });
}

function expertFacts(config: ModelConfig): [string, string][] {
  const { experts } = config;
  if (!experts) return [];
  const shared = experts.shared > 0 ? `, ${experts.shared} shared` : "";
  return [
    ["active", formatParameters(activeParametersOf(config))],
    ["experts", `${experts.topK} of ${experts.count} a layer${shared} (${experts.router})`],
  ];
}

/** What a model is made of, in memory or in its file. */
type Described = Pick<Model, "config" | "tensors" | "name">;

export function modelPlot({ config, tensors, name }: Described): Figure {
  return new Figure(() =>
    modelAnatomy({ config, name, tensors: tensors.map(({ type, ...rest }) => ({ ...rest, dtype: type })) }),
  );
}

export function modelTable({ tensors }: Described): Table {
  const each = <T>(pick: (tensor: ModelTensor) => T) => tensors.map(pick);
  return tableFromArrays({
    name: each((tensor) => tensor.name),
    dtype: each((tensor) => tensor.type),
    shape: each((tensor) => tensor.shape.join(" × ")),
    parameters: Float64Array.from(each((tensor) => tensor.shape.reduce((a, b) => a * b, 1))),
    bytes: Float64Array.from(each((tensor) => tensor.bytes)),
  });
}
