// `normalize(options)`: one way to write what looks the same. Unicode in one form, broken characters and control characters out,
// one kind of line break and of space, no white space at ends of lines, no more than one empty line. Changes no word.

import { checkChoice, checkFlag, checkNames } from "../options.ts";
import type { Step } from "./step.ts";

export interface NormalizeOptions {
  /** NFC (the default) joins letters and accents; NFKC also makes ligatures and full-width letters plain ones; false: neither. */
  unicode?: "NFC" | "NFD" | "NFKC" | "NFKD" | false;
  /** Spaces, line breaks and invisible characters. */
  whitespace?: boolean;
  /** Of the texts: `text` by default. */
  column?: string;
}

// Half of a pair of surrogates is no character; U+FFFD says that one was lost before.
const BROKEN = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
// Of the control characters a tab and a line break mean something; of the invisible ones, joiners do, inside words.
const INVISIBLE = "\\0-\\x08\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\\u200b\\u2060\\ufeff\\u00ad";
const CONTROL = new RegExp(`[${INVISIBLE}]`, "g");
const BREAKS = "\\r\\x0b\\x0c\\x85\\u2028\\u2029";
const BREAK = new RegExp(`\\r\\n|[${BREAKS}]`, "g");
const SPACES = /[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
const UNUSUAL = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/;

export function normalize(options: NormalizeOptions = {}): Step {
  checkNames("normalize", options, ["unicode", "whitespace", "column"]);
  const { unicode = "NFC", whitespace = true, column = "text" } = options;
  if (unicode !== false) checkChoice("normalize", "unicode", unicode, ["NFC", "NFD", "NFKC", "NFKD"]);
  checkFlag("normalize", "whitespace", whitespace);
  return {
    name: "normalize",
    options: { unicode, whitespace, ...(column !== "text" && { column }) },
    async *run(input, log) {
      for await (const chunk of input) {
        const before = chunk.column(column, "normalize");
        let changed = 0;
        const after = before.map((value) => {
          if (typeof value !== "string") return value;
          const text = normalized(value, unicode, whitespace);
          if (text === value) return value;
          changed++;
          log.change(whatChanged(value, unicode), text);
          return text;
        });
        yield changed ? chunk.with(column, after) : chunk;
      }
    },
  };
}

/** One text as `normalize` writes it. */
export function normalized(
  text: string,
  unicode: NormalizeOptions["unicode"] = "NFC",
  whitespace = true,
): string {
  let out = text.replace(BROKEN, "\ufffd");
  if (unicode) out = out.normalize(unicode);
  if (!whitespace) return out;
  out = out.replace(BREAK, "\n").replace(CONTROL, "").replace(SPACES, " ");
  // A long run of spaces must not cost the square of its length, as a search for the end of a line after each would.
  return out
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function whatChanged(text: string, unicode: NormalizeOptions["unicode"]): string {
  if (text.search(BROKEN) >= 0) return "broken characters";
  if (unicode && text.normalize(unicode) !== text) return "Unicode form";
  if (text.search(CONTROL) >= 0) return "control and invisible characters";
  if (text.search(BREAK) >= 0) return "line breaks";
  return UNUSUAL.test(text) ? "unusual spaces" : "white space at ends and empty lines";
}
