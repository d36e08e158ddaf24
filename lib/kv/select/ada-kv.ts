// Ada-KV (Feng et al. 2024, arXiv 2407.11550): any method's scores, with a layer's room shared between its heads by them.

import { LensorError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { adaptive } from "../budget.ts";
import type { Method } from "../method.ts";
import { optionsOf, Selection } from "./selection.ts";
import { snapKV } from "./snap-kv.ts";

export interface AdaKVOptions {
  /** Bytes before / bytes after; that of the method it is given, unless said here. */
  ratio?: number;
  /** Which part of an even share is sure for each head: 0.2. */
  safeguard?: number;
}

/**
 * Ada-KV (Feng et al. 2024, arXiv 2407.11550): any method's scores, with a layer's room shared between its heads by them.
 *
 * `adaKV(snapKV())`: a head keeps as many keys as it has among the layer's best. @param of snapKV() by default
 */
export function adaKV(of: Method = snapKV(), given?: AdaKVOptions): Selection {
  if (!(of instanceof Selection))
    throw new LensorError("adaKV shares room by a method's scores", {
      expected: "a method that gives every key one, such as snapKV(), h2o() or expectedAttention()",
      got: (of as Method | undefined)?.name ?? describe(of),
    });
  const { options, ratio = of.ratio } = optionsOf("adaKV", given, { safeguard: 0.2 });
  return of.with({
    ...{ name: "adaKV", ratio, budget: adaptive(options.safeguard) },
    options: { ...options, of: of.name, ...of.options },
  });
}
