// The published rules of quality, one a file: `dataset.filter(quality.gopher())`.

import { c4 } from "./c4.ts";
import { fineweb } from "./fineweb.ts";
import { gopher } from "./gopher.ts";
import { perplexity } from "./perplexity.ts";
import { repetition } from "./repetition.ts";

export const quality = { gopher, repetition, c4, fineweb, perplexity };
