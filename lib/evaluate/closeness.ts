// How near models come to the one that they were made of: KL(reference || model) of the next token's distributions, and how often
// both find the same token likeliest. The texts are read once beside each other for both measures, in exact mode: the reference's
// distributions are never kept beyond a chunk.

import { fingerprintOfTokenizer } from "../data/tokens/tokenize.ts";
import { LensorError } from "../errors.ts";
import { Cache } from "../kv/cache.ts";
import { checkNames } from "../options.ts";
import { divergences, likeliest, logprobsAfter } from "./distributions.ts";
import { meanInterval, shareInterval } from "./intervals.ts";
import type { Measure, Sample, Study, Subject } from "./measure.ts";
import { CHUNK, STRETCH } from "./perplexity.ts";
import { type Texts, textsOf } from "./texts.ts";

/** Longer texts are read in pieces of so many tokens, or of the least context: each piece begins anew. */
const PIECE = 1024;

/** Of one subject. */
interface Closeness {
  readonly kl: Sample[];
  /** Of each token. */
  readonly same: boolean[];
}

/**
 * Mean KL(reference || model) over all tokens of the texts, in nats a token. The reference is the first that is compared unless
 * `compare` names another.
 * @param texts A text, texts, or a dataset: of it the column `text`, or `options.column`
 */
export function kl(texts: Texts, options: { column?: string } = {}): Measure {
  checkNames("kl", options, ["column"]);
  return closeness("kl", { unit: "nats a token", better: "lower" }, texts, options.column, ({ kl }) => {
    const { value, low, high } = meanInterval(kl);
    // Rounding may leave a distribution a little less than no distance from itself.
    return { value: Math.max(0, value), low: Math.max(0, low), high, samples: kl };
  });
}

/** Share of the texts' tokens after which model and reference find the same token likeliest (top-1 agreement). Texts as of `kl`. */
export function agreement(texts: Texts, options: { column?: string } = {}): Measure {
  checkNames("agreement", options, ["column"]);
  return closeness("agreement", { unit: "of 1", better: "higher" }, texts, options.column, ({ same }) => ({
    ...shareInterval(same),
    samples: same.map((one) => ({ sum: Number(one), count: 1 })),
  }));
}

function closeness(
  name: string,
  facts: Pick<Measure, "unit" | "better">,
  texts: Texts,
  column: string | undefined,
  result: (closeness: Closeness) => Parameters<Study["note"]>[1],
): Measure {
  const all = textsOf(name, texts, column);
  return {
    ...{ name, ...facts, kind: "quality", options: column === undefined ? {} : { column } },
    check: (subjects, reference) => checkAlike(name, subjects, reference),
    async measure(study) {
      const tell = (found: readonly Closeness[]) => {
        for (const [place, one] of found.entries()) if (one.kl.length > 0) study.note(place, result(one));
      };
      // Both measures of the same texts come from one pass.
      const passes = (study.shared.get(closeness) ?? []) as {
        texts: Texts;
        column: unknown;
        found: Closeness[];
      }[];
      const before = passes.find((pass) => pass.texts === texts && pass.column === column);
      if (before) return tell(before.found);
      const found = study.subjects.map((): Closeness => ({ kl: [], same: [] }));
      study.shared.set(closeness, [...passes, { texts, column, found }]);
      await readBeside(study, all(), found, () => tell(found));
      if (found[study.reference]!.kl.length === 0 && study.proceed(1))
        throw new LensorError(`${name}: there is nothing to compare on`, {
          expected: "a text with tokens",
          got: "none",
        });
    },
  };
}

/** @throws LensorError for models whose distributions are over other tokens */
function checkAlike(name: string, subjects: readonly Subject[], reference: number): void {
  const base = subjects[reference]!;
  const known = fingerprintOfTokenizer(base.model.tokenizer);
  for (const { name: other, model } of subjects) {
    const sizes = [base.model.config.vocabulary, model.config.vocabulary];
    if (sizes[0] === sizes[1] && fingerprintOfTokenizer(model.tokenizer) === known) continue;
    throw new LensorError(
      `compare: ${name} needs models of one vocabulary, and ${other} has another than ${base.name}`,
      {
        expected: `the tokenizer of ${base.name}, ${sizes[0]} tokens`,
        got: sizes[0] === sizes[1] ? "as many tokens, other ones" : `${sizes[1]} tokens`,
        fix: `Leave ${other} out, or compare by task(...), whose answers are text.`,
      },
    );
  }
}

async function readBeside(
  { subjects, reference, proceed }: Study,
  texts: Iterable<string> | AsyncIterable<string>,
  found: readonly Closeness[],
  tell: () => void,
): Promise<void> {
  const base = subjects[reference]!;
  const length = base.cache
    ? Number.POSITIVE_INFINITY
    : Math.min(PIECE, ...subjects.map(({ model }) => model.context));
  let read = 0;
  for await (const text of texts) {
    const { ids } = base.model.tokenizer.encode(text);
    for (let from = 0; from < ids.length; from += length) {
      const piece = ids.slice(from, from + length);
      if (!(await readPiece(subjects, reference, piece, found, proceed, read))) return;
      tell();
      // How many texts follow is not always known.
      read += 1;
    }
  }
}

/** False where it was ended: then the piece counts as far as all have read it. */
async function readPiece(
  subjects: readonly Subject[],
  reference: number,
  ids: readonly number[],
  found: readonly Closeness[],
  proceed: Study["proceed"],
  before: number,
): Promise<boolean> {
  const caches = subjects.map(
    ({ model, cache }) => cache?.fork() ?? Cache.empty(model, "exact", model.rope(ids.length)),
  );
  try {
    for (let from = 0; from < ids.length; from += CHUNK) {
      if (!proceed(1 - 1 / (before + from / ids.length + 1))) return false;
      const chunk = ids.slice(from, from + CHUNK);
      const p = await logprobsAfter(caches[reference]!, chunk);
      const best = await likeliest(p);
      for (const [place, cache] of caches.entries()) {
        const q = place === reference ? p : await logprobsAfter(cache, chunk);
        const nats = q === p ? new Float32Array(chunk.length) : await divergences(p, q);
        const theirs = q === p ? best : await likeliest(q);
        for (let i = 0; i < chunk.length; i += STRETCH) {
          const own = nats.subarray(i, i + STRETCH);
          found[place]!.kl.push({ sum: own.reduce((a, b) => a + b, 0), count: own.length });
        }
        for (const [i, id] of best.entries()) found[place]!.same.push(theirs[i] === id);
        if (q !== p) q.dispose();
      }
      p.dispose();
    }
    return true;
  } finally {
    for (const cache of caches) cache.dispose();
  }
}
