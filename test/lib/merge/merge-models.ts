// The models of test/fixtures/make_merge.py: a base of sines and three that are off it, in memory.

import { type Model, Model as ModelClass, type Tensor, tensor } from "../../../lib/index.ts";

export type Which = "base" | "a" | "b" | "c";

const ARCHITECTURE = {
  ...{ layers: 4, width: 16, heads: 2, kvHeads: 1, headWidth: 8, feedForward: 24, context: 256 },
  ...{ normEpsilon: 1e-5, tiedEmbeddings: true, check: false, seed: 1 },
} as const;

export async function mergeModel(which: Which): Promise<Model> {
  const made = await ModelClass.fromConfig({ ...ARCHITECTURE, name: which });
  for (const parameter of made.parameters()) {
    const name = parameter.name.split(" ")[0]!;
    const own = sines(name, parameter, 0.3, parameter.ndim === 1 ? 1 : 0);
    const off = which === "base" ? undefined : sines(`${name} of ${which}`, parameter, 0.1);
    const values = Float32Array.from(own, (value, i) => value + (off?.[i] ?? 0));
    parameter.assign(tensor(values).reshape(parameter.shape));
  }
  made.settle("f32");
  return made;
}

function sines(name: string, { size }: Tensor, scale: number, offset = 0): Float64Array {
  const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  return Float64Array.from(
    { length: size },
    (_, i) => offset + scale * Math.sin(seed + 12.9898 * i + 0.001 * i * i),
  );
}
