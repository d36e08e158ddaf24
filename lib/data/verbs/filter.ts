// `filter(keep)`: the rows of which a function is true.

import { LensorError } from "../../errors.ts";
import { describe } from "../../options.ts";
import type { Row } from "../chunk.ts";
import { calling } from "../pipeline.ts";
import { type Filter, filterStep, type Step } from "../step.ts";

export type Keep<R> = (row: R) => boolean | Promise<boolean>;

export function filter<R extends Row>(keep: Keep<R> | Filter): Step {
  if (typeof keep !== "function") return filterStep(keep);
  return {
    name: "filter",
    options: { keep: String(keep) },
    opaque: true,
    async *run(input, log) {
      let at = 0;
      for await (const chunk of input) {
        const kept: number[] = [];
        for (let i = 0; i < chunk.length; i++, at++) {
          const row = chunk.row(i) as R;
          const answer = await calling("filter", at, () => keep(row));
          if (typeof answer !== "boolean")
            throw new LensorError(`filter: your function gave no answer for row ${at}`, {
              expected: "true or false",
              got: describe(answer),
            });
          if (answer) kept.push(i);
          else log.drop("the function said no", row);
        }
        yield chunk.pick(kept);
      }
    },
  };
}
