// Completion and inspection as a person gets them: what types say, and what values are now, in one answer.
// Relies on types.ts for types and on the child's own answers for values. Each does without the other: a server that starts or
// a cell that computes costs what it knows, never the answer.

import type { TypedCompletion } from "../language/matches.ts";
import type { Session } from "../protocol/session.ts";
import type { Types } from "./types.ts";

export type Completion = Awaited<ReturnType<Session["complete"]>>;
export type Inspection = Awaited<ReturnType<Session["inspect"]>>;

/** What the child, or the memory of it, says of values. */
export interface Values {
  complete(code: string, cursor: number): Promise<Completion>;
  inspect(code: string, cursor: number): Promise<{ readonly found: boolean; readonly text: string }>;
}

/** For types one waits this long; the server's first answer may take a second. */
const TYPES_MS = 3000;
/** Where types know something to complete, values have had their time after this: a cell may keep them. */
const VALUES_MS = 10;
const LEAST_MS = 2;

/**
 * @param offer Tells pages that can add an import which names would need one. Says whether there is such a page.
 */
export async function completeBoth(
  types: Types,
  values: Values,
  offer: (imports: Readonly<Record<string, string>>) => boolean,
  code: string,
  cursor: number,
): Promise<Completion> {
  const start = performance.now();
  const ofValues = unheard(values.complete(code, cursor));
  const typed = await within(
    TYPES_MS,
    types.services()?.then((typescript) => typescript.complete(code, cursor)),
  );
  if (!typed) return ofValues;
  const isKnown = typed.matches.some(({ statement }) => !statement);
  const found = isKnown
    ? await within(Math.max(LEAST_MS, VALUES_MS - (performance.now() - start)), ofValues)
    : await ofValues;
  const matches = new Map(typed.matches.map((match) => [match.text, match]));
  const { importable } = await import("../language/importable.ts");
  for (const match of importable(types.folder, code, cursor))
    if (!matches.has(match.text)) matches.set(match.text, match);
  return merged({ ...typed, matches: [...matches.values()] }, found, offer, code);
}

/** Types come first, in their order; then names that only the values have, then those that would have to be imported. */
function merged(
  { matches, start, end }: TypedCompletion,
  values: Completion | undefined,
  offer: (imports: Readonly<Record<string, string>>) => boolean,
  code: string,
): Completion {
  const found = new Map(matches.filter(({ statement }) => !statement).map(({ text, type }) => [text, type]));
  if (values && (values.start === start || found.size === 0)) {
    if (values.start !== start) return values;
    for (const [i, name] of values.matches.entries()) if (!found.has(name)) found.set(name, values.types[i]!);
  }
  const others = matches.filter(({ text, statement }) => statement && !found.has(text));
  const isOffered = offer(Object.fromEntries(others.map(({ text, statement }) => [text, statement!])));
  // A page that adds no imports gets them with the name, where there is no other and a statement can stand before it.
  const isAlone = found.size === 0 && /(?:^|\n)[ \t]*$/.test(code.slice(0, start));
  for (const { text, type, statement } of others)
    if (isOffered) found.set(text, type);
    else if (isAlone) found.set(`${statement}\n${text}`, type);
  return { matches: [...found.keys()], types: [...found.values()], start, end };
}

export async function inspectBoth(
  types: Types,
  values: Values,
  code: string,
  cursor: number,
  detail: boolean,
): Promise<Inspection> {
  const ofValues = unheard(values.inspect(code, cursor));
  const typed = await within(
    TYPES_MS,
    types.services()?.then((typescript) => typescript.inspect(code, cursor, detail)),
  );
  const value = await ofValues;
  if (!typed)
    return value?.found ? { found: true, data: { "text/plain": value.text } } : { found: false, data: {} };
  const { plain } = await import("../language/words.ts");
  if (!value?.found) return { found: true, data: { "text/plain": plain(typed), "text/markdown": typed } };
  return {
    found: true,
    data: {
      "text/plain": `${plain(typed)}\n\n${value.text}`,
      "text/markdown": `${typed}\n\n\`\`\`\n${value.text.replaceAll("```", "'''")}\n\`\`\``,
    },
  };
}

/** An answer that may fail before anybody waits for it. */
function unheard<T>(answer: Promise<T>): Promise<T> {
  answer.catch(() => {});
  return answer;
}

/** What comes in time; undefined for what does not, or fails. */
async function within<T>(ms: number, answer: Promise<T> | undefined): Promise<T | undefined> {
  if (!answer) return undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([answer, late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
