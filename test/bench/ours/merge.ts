/** Two models on disk into a third, by a method of `merge`, in the types that they lie there in. */
import { merge } from "../../../lib/index.ts";
import type { Run } from "./main.ts";

interface Merging {
  method: "linear" | "slerp" | "ties";
  /** Folders of the base, or first model, and of the second. */
  a: string;
  b: string;
  out: string;
}

const METHODS = {
  linear: ({ a, b, out }: Merging) => merge.linear(a, b, { t: 0.3, out }),
  slerp: ({ a, b, out }: Merging) => merge.slerp(a, b, { t: 0.3, out }),
  ties: ({ a, b, out }: Merging) => merge.ties([{ model: b, weight: 0.5, density: 0.5 }], { base: a, out }),
};

export async function merging(args: Merging): Promise<Run> {
  return async () => {
    const began = performance.now();
    const { bytes } = await METHODS[args.method](args);
    return { seconds: (performance.now() - began) / 1000, count: bytes };
  };
}
