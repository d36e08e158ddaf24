// What `text` is: what is done with texts that no dataset and no model is needed for.

import { trainBPE } from "./train-bpe.ts";

/** What is done with texts that no dataset and no model is needed for. */
export const text = { trainBPE };
