// A head's plan as native code takes it.

import type { HeadChoice, SideCode } from "../native.ts";
import { contiguous } from "../tensor/queue.ts";
import { PAGE } from "./encode/size.ts";
import type { Encoding, HeadEncoding, HeadPlan } from "./method.ts";

/** Which of a head's kept keys an encoding may touch: not the first so many, not the last. */
export interface Spared {
  readonly first: number;
  readonly last: number;
}

export function choiceOf(
  plan: HeadPlan,
  encoding?: HeadEncoding,
  spared: Spared = { first: 0, last: 0 },
): HeadChoice {
  const { keep, bias, keys, values } = plan;
  const choice: HeadChoice = { keep, bias, keys: keys?.native().buffer, values: values?.native().buffer };
  if (!encoding?.keys && !encoding?.values) return choice;
  const codedFrom = Math.ceil(spared.first / PAGE) * PAGE;
  const end = keep.length - spared.last;
  const codedTo = spared.last === 0 ? keep.length : Math.floor(end / PAGE) * PAGE;
  if (codedTo <= codedFrom) return choice;
  return {
    ...choice,
    keyCode: codeOf(encoding.keys),
    valueCode: codeOf(encoding.values),
    codedFrom,
    codedTo,
  };
}

function codeOf(encoding: Encoding | undefined): SideCode | undefined {
  if (encoding?.kind === "bits") {
    const { kind, bits, per, rotate } = encoding;
    return { kind, bits, per, rotated: rotate ? 1 : 0 };
  }
  if (encoding?.kind !== "rank") return encoding;
  const { kind, basis } = encoding;
  return { kind, rank: basis.shape[0]!, basis: contiguous(basis, "basis").native().buffer };
}
