// The published rules of quality, one a file: `dataset.filter(quality.gopher())`.

import { c4 } from "./c4.ts";
import { fineweb } from "./fineweb.ts";
import { gopher } from "./gopher.ts";
import { perplexity } from "./perplexity.ts";
import { repetition } from "./repetition.ts";

/**
 * Published rules of quality, for `dataset.filter`: `dataset.filter(quality.gopher())`. The report counts what each rule
 * dropped, by its reason; reasons and arithmetic are datatrove's.
 */
export const quality = { gopher, repetition, c4, fineweb, perplexity };
