// FineWeb's own rules on top of C4's and Gopher's: lines that end as sentences do, lines that are not all short, no line twice.
// Reasons and arithmetic are datatrove's FineWebQualityFilter, whose defaults these are.

import { checkNames, checkNumber } from "../../options.ts";
import { TERMINAL } from "../../text/simplify.ts";
import { words } from "../../text/words.ts";
import type { Filter } from "../step.ts";
import { occurrences, repeated, size, strip } from "./lines.ts";

export interface FinewebOptions {
  /** The least part of lines that end in a sentence's punctuation. */
  punctuated?: number;
  /** The most lines of up to `shortLength` characters, as a part. */
  shortLines?: number;
  /** In characters: up to this length a line is short. */
  shortLength?: number;
  /** The most characters in lines that stood before, as a part. */
  duplicated?: number;
  /** The most breaks of lines for each word. */
  breaks?: number;
  /** Of the texts: `text` by default. */
  column?: string;
}

const ENDS = new RegExp(`[${TERMINAL}]$`, "v");

/**
 * FineWeb's own rules on top of C4's and Gopher's: lines that end as sentences do, lines that are not all short, no line
 * twice.
 * @see Penedo et al. 2024, "The FineWeb Datasets: Decanting the Web for the Finest Text Data at Scale"
 */
export function fineweb(options: FinewebOptions = {}): Filter {
  const names = ["punctuated", "shortLines", "shortLength", "duplicated", "breaks", "column"];
  checkNames("quality.fineweb", options, names);
  const { punctuated = 0.12, shortLines = 0.67, shortLength = 30, duplicated = 0.01, breaks = 0.3 } = options;
  const numbers = { punctuated, shortLines, shortLength, duplicated, breaks };
  for (const [name, value] of Object.entries(numbers))
    checkNumber("quality.fineweb", name, value, { least: 0 });
  return {
    name: "fineweb",
    options: numbers,
    ...(options.column !== undefined && { column: options.column }),
    judge(text) {
      const lines = text.split("\n").filter((line) => strip(line) !== "");
      if (lines.length === 0) return "empty";
      const part = (is: (line: string) => boolean) => lines.filter(is).length / lines.length;
      if (part((line) => ENDS.test(line.slice(-2))) < punctuated) return "line_punct_ratio";
      if (part((line) => size(line) <= shortLength) > shortLines) return "short_line_ratio";
      const lineBreaks = occurrences(text, "\n");
      if (repeated(lines).characters / (size(text) - lineBreaks) > duplicated) return "char_dup_ratio";
      if (lineBreaks / words(text).length > breaks) return "list_ratio";
      return undefined;
    },
  };
}
