// `pii()`: what names a person or an account in a text is replaced by what kind of thing it was. Relies on kinds.ts for what is
// looked for; keeps nothing of what it takes out.

import { LensorError } from "../../errors.ts";
import { checkNames } from "../../options.ts";
import type { Found, Redactor } from "../step.ts";
import { KINDS, proven } from "./kinds.ts";

export interface PiiOptions {
  /** Which kinds; all by default. */
  kinds?: readonly ("email" | "card" | "iban" | "phone" | "ip" | "id")[];
  /** Of the texts: `text` by default. */
  column?: string;
}

/** How far before a number its name may stand. */
const NAME = 60;

/** `dataset.redact(pii())`: "write to [EMAIL] or call [PHONE]". */
export function pii(options: PiiOptions = {}): Redactor {
  checkNames("pii", options, ["kinds", "column"]);
  const kinds = options.kinds ?? Object.keys(KINDS);
  for (const kind of kinds)
    if (!Object.hasOwn(KINDS, kind))
      throw new LensorError(`pii: there is no kind ${JSON.stringify(kind)}`, {
        expected: Object.keys(KINDS).join(", "),
      });
  return {
    name: "pii",
    options: { kinds },
    ...(options.column !== undefined && { column: options.column }),
    redact(text) {
      const found = findPii(text, kinds);
      let out = "";
      let at = 0;
      for (const { start, end, mark } of found) {
        out += text.slice(at, start) + mark;
        at = end;
      }
      return {
        text: out + text.slice(at),
        found: found.map(({ kind, start, end }) => ({ kind, start, end })),
      };
    },
  };
}

/** Where, in order; of two that overlap the kind that was asked for first. */
export function findPii(
  text: string,
  kinds: readonly string[] = Object.keys(KINDS),
): (Found & { readonly mark: string })[] {
  const found: (Found & { mark: string })[] = [];
  let taken: Uint8Array | undefined;
  for (const kind of kinds)
    for (const one of KINDS[kind]!)
      for (const { 0: match, index } of text.matchAll(one.pattern)) {
        const end = index + match.length;
        if (!proven(one, match, text.slice(Math.max(0, index - NAME), index))) continue;
        taken ??= new Uint8Array(text.length);
        if (taken.subarray(index, end).includes(1)) continue;
        taken.fill(1, index, end);
        found.push({ kind, start: index, end, mark: one.mark });
      }
  return found.sort((a, b) => a.start - b.start);
}
