// A head's plan as native code takes it.

import { LensorError } from "../errors.ts";
import type { HeadChoice, NativeBuffer, SideCode } from "../native.ts";
import type { Tensor } from "../tensor/index.ts";
import { PAGE } from "./encode/size.ts";
import type { Encoding, HeadEncoding, HeadPlan } from "./method.ts";

/** Where a head's encodings may begin and end, and which place in the list of all heads it has in another layer. */
export interface Terms {
  /** Its first kept keys stay as they are, so many, and its last. */
  readonly first: number;
  readonly last: number;
  readonly headOf: (layer: number) => number;
}

export function choiceOf(plan: HeadPlan, encoding?: HeadEncoding, terms?: Terms): HeadChoice {
  const { keep, bias, keys, values } = plan;
  const choice: HeadChoice = {
    keep,
    bias,
    keys: keys && ownBuffer(keys),
    values: values && ownBuffer(values),
  };
  if (!terms || (!encoding?.keys && !encoding?.values)) return choice;
  const codedFrom = Math.ceil(terms.first / PAGE) * PAGE;
  const end = keep.length - terms.last;
  const codedTo = terms.last === 0 ? keep.length : Math.floor(end / PAGE) * PAGE;
  if (codedTo <= codedFrom) return choice;
  const [keyCode, valueCode] = [encoding.keys, encoding.values].map((one) => codeOf(one, keep.length, terms));
  return { ...choice, keyCode, valueCode, codedFrom, codedTo };
}

/** A buffer that holds a tensor's rows and nothing else: a view may look into the middle of a larger one. */
function ownBuffer(x: Tensor): NativeBuffer {
  const { buffer } = x.native();
  return buffer.bytes === x.bytes ? buffer : x.clone().native().buffer;
}

function codeOf(encoding: Encoding | undefined, keys: number, terms: Terms): SideCode | undefined {
  switch (encoding?.kind) {
    case "bits": {
      const { kind, bits, per, rotate } = encoding;
      return { kind, bits, per, rotated: rotate ? 1 : 0 };
    }
    case "rank": {
      const { kind, basis } = encoding;
      return { kind, rank: basis.shape[0]!, basis: ownBuffer(basis) };
    }
    case "shared": {
      const { kind, lengths, directions, of } = encoding;
      if (lengths.length !== keys)
        throw new LensorError("cache.compact: layers that share their keys do so for whole heads", {
          expected: `a length for each of ${keys} keys`,
          got: String(lengths.length),
          fix: "Leave out keepFirst and keepLast.",
        });
      const own = directions && ownBuffer(directions);
      return { kind, lengths, directions: own, of: of === undefined ? undefined : terms.headOf(of) };
    }
    default:
      return encoding;
  }
}
