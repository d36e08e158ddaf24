// What the methods that set weights to zero have in common: how a matrix is taken out of the model, thinned and put back.

import type { LayerInput } from "../calibrate/walk.ts";
import type { Compression, Work } from "../compress/method.ts";
import { expectedTensors } from "../model/config.ts";
import { unpacked } from "../model/weights.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { packingOf, sparseRows } from "./pack.ts";
import { checkWidths, type Share } from "./share.ts";

/** What a matrix `[rows, columns]` becomes, f32. `input` is what its rows meet, where the method looks at texts. */
export type Thin = (weight: Tensor, input: Pick<LayerInput, "hessian"> | undefined) => Tensor;

export interface SparseParts {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly share: Share;
  /** Whether it can do without texts; it still measures its errors on those that it is given. */
  readonly blind?: boolean;
  readonly thin: Thin;
}

export function sparse(parts: SparseParts): Compression {
  const { name, options, share, blind = false } = parts;
  return {
    ...{ verb: "prune", name, options },
    check: (call, matrices) => checkWidths(call, share, matrices),
    async apply(work) {
      if (blind && !work.calibrated) {
        for (const [i, matrix] of work.matrices.entries()) {
          work.progress(i);
          await replace(work, matrix.name, parts, undefined);
        }
        return;
      }
      await work.calibrate(async (input) => {
        for (const one of input.names) await replace(work, one, parts, input);
      });
    },
  };
}

async function replace(
  work: Work,
  name: string,
  { thin, share }: SparseParts,
  input: LayerInput | undefined,
): Promise<void> {
  const [rows, columns] = expectedTensors(work.model.config).get(name)! as [number, number];
  const { type, kept } = packingOf(share, columns);
  const { values, zeros } = noGrad(() =>
    scope(() => {
      const values = thin(unpacked(work.model, name), input).cast("f16").contiguous();
      return { values, zeros: values.eq(0).sum() };
    }),
  );
  const stored = kept === undefined ? values : await sparseRows(values, kept);
  try {
    const sparsity = Number(await zeros.item()) / (rows * columns);
    const about = { ...(input && { hessian: input.hessian }), notes: { sparsity } };
    await work.replace({ name, type }, stored, about);
  } finally {
    for (const one of [values, stored, zeros]) one.dispose();
  }
}
