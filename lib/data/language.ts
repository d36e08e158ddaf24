// `language("en")`: texts in these languages, by fastText's model of 176. Relies on the npm package fasttext.wasm.js, which brings
// the model along; loads it once, when the first text comes.

import { LensorError } from "../errors.ts";
import { near } from "../near.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import type { Filter } from "./step.ts";

export interface LanguageOptions {
  /** How sure the model must be, from 0 to 1. */
  threshold?: number;
  /** Of the texts: `text` by default. */
  column?: string;
}

type Model = Awaited<ReturnType<typeof loadModel>>;

/** Characters of a text that are looked at: a language shows long before. */
const LOOKED_AT = 1 << 16;

let loading: Promise<Model> | undefined;

async function loadModel() {
  const { getLIDModel } = await import("fasttext.wasm.js");
  return (await getLIDModel()).load();
}

/**
 * Keeps texts in these languages, by fastText's model of 176: `dataset.filter(language("en"))`. The model comes with the
 * package and is loaded once.
 * @throws LensorError for a language that the model does not know
 * @param languages As Wikipedia's editions are called: "en", ["de", "fr"]
 * @see Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification"; the model is lid.176.ftz
 */
export function language(languages: string | readonly string[], options: LanguageOptions = {}): Filter {
  checkNames("language", options, ["threshold", "column"]);
  const { threshold = 0.65, column } = options;
  checkNumber("language", "threshold", threshold, { least: 0, most: 1 });
  const wanted = typeof languages === "string" ? [languages] : [...languages];
  if (wanted.length === 0 || wanted.some((one) => typeof one !== "string"))
    throw new LensorError("language takes the languages to keep", {
      expected: `"en", or a list of such`,
      got: describe(languages),
    });
  let model: Model | undefined;
  return {
    name: "language",
    options: { languages: wanted, threshold },
    ...(column !== undefined && { column }),
    async prepare() {
      model = await (loading ??= loadModel());
      const known = labelsOf(model);
      const stranger = wanted.find((one) => !known.includes(one));
      if (stranger !== undefined)
        throw new LensorError(`language: the model knows no ${JSON.stringify(stranger)}`, {
          expected: `one of its ${known.length} languages, such as en, de, fr, es, zh`,
          fix: near(stranger, known),
        });
    },
    judge(text) {
      const scores = languagesOf(model!, text, threshold);
      if (scores.some(({ label, score }) => wanted.includes(label) && score > threshold)) return undefined;
      const best = scores[0];
      return best && best.score > threshold ? `language ${best.label}` : "language unclear";
    },
  };
}

/** What the model makes of a text, the likeliest first. */
function languagesOf(model: Model, text: string, threshold: number): { label: string; score: number }[] {
  // The model reads one line.
  const line = text.slice(0, LOOKED_AT).replaceAll("\n", " ");
  const found = model.predict(line, threshold < 0.5 ? 176 : 1, 0);
  try {
    return Array.from({ length: found.size() }, (_, i) => {
      const [score, label] = found.get(i) as unknown as [number, string];
      return { label: label.replace("__label__", ""), score };
    });
  } finally {
    (found as unknown as { delete(): void }).delete();
  }
}

function labelsOf(model: Model): string[] {
  const [names] = model.getLabels() as unknown as [{ size(): number; get(i: number): string }];
  return Array.from({ length: names.size() }, (_, i) => names.get(i).replace("__label__", ""));
}
