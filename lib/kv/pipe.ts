// Methods one after the other: each works on what the one before would leave. Ratios multiply; the plans become one plan of the
// cache as it is, so that it is carried out once. Relies on method.ts alone.

import { LensorError } from "../errors.ts";
import { checkNames, describe } from "../options.ts";
import type { HeadEncoding, Method, Plan, Room, Source } from "./method.ts";
import { afterwards, plannedSource } from "./planned-source.ts";
import { checkRatio } from "./select/selection.ts";
import type { Maker } from "./summary.ts";

/**
 * Methods one after the other: each works on what the one before would leave.
 *
 * `pipe(snapKV({ ratio: 4 }), adaKV())`. Its ratio is the product of theirs. With a ratio of its own, `pipe(a, b, { ratio })`
 * or `pipe(a, b).at(ratio)`, the methods that have one keep it and those without share what is missing evenly; where all have
 * one, the last takes what is missing. Where the first makes a cache of its own, as `summaryOnly()` does, the others make that
 * one smaller: `pipe(summaryOnly({ ratio: 20 }), attentionMatching({ ratio: 10 }))` is 200 times smaller.
 */
export function pipe(first: Maker, ...given: readonly (Method | { ratio?: number })[]): Maker;
export function pipe(...given: readonly (Method | { ratio?: number })[]): Method;
export function pipe(...given: readonly (Maker | Method | { ratio?: number })[]): Method | Maker {
  const [first, ...rest] = given;
  if (isMaker(first)) return madeThen(first, pipe(...(rest as Method[])));
  const last = given.at(-1);
  const options = last && !isMethod(last) ? (last as { ratio?: number }) : undefined;
  const methods = (options ? given.slice(0, -1) : given) as Method[];
  checkNames("pipe", options, ["ratio"]);
  if (methods.length === 0 || !methods.every(isMethod))
    throw new LensorError("pipe takes methods", {
      expected: "methods such as snapKV(), then perhaps { ratio }",
      got: methods.length === 0 ? "none" : describe(methods.find((one) => !isMethod(one))),
    });
  return made(methods, checkRatio("pipe", options?.ratio));
}

function isMethod(one: unknown): one is Method {
  return typeof one === "object" && one !== null && "plan" in one && "name" in one;
}

function isMaker(one: unknown): one is Maker {
  return typeof one === "object" && one !== null && "make" in one && "name" in one;
}

function madeThen(maker: Maker, method: Method): Maker {
  const known = maker.ratio !== undefined && method.ratio !== undefined;
  return {
    name: `${maker.name} + ${method.name}`,
    ratio: known ? maker.ratio! * method.ratio! : undefined,
    options: {
      maker: { ratio: maker.ratio, ...maker.options },
      method: { ratio: method.ratio, ...method.options },
    },
    at(ratio) {
      if (maker.ratio !== undefined) return madeThen(maker, method.at(ratio / maker.ratio));
      const then = method.ratio ?? Math.sqrt(ratio);
      return madeThen(maker.at(ratio / then), method.at(then));
    },
    async make(cache, options) {
      const whole = await maker.make(cache, options);
      try {
        return await whole.compact(method, {
          seed: options.seed,
          ...(options.signal && { signal: options.signal }),
        });
      } finally {
        whole.dispose();
      }
    },
  };
}

function made(methods: readonly Method[], ratio: number | undefined): Method {
  const shared = ratio === undefined ? methods : shareOut(methods, ratio);
  const ratios = shared.map((one) => one.ratio);
  const product = ratios.every((one) => one !== undefined)
    ? ratios.reduce((all, one) => all * one, 1)
    : undefined;
  return {
    name: shared.map(({ name }) => name).join(" + "),
    ratio: product,
    options: { methods: shared.map(({ name, ratio, options }) => ({ name, ratio, ...options })) },
    at: (ratio) => made(methods, checkRatio("pipe", ratio)),
    plan: (source, room) =>
      planOf(product === undefined ? shareOut(methods, room.ratio) : shared, source, room),
  };
}

/** The same methods with ratios whose product is the one asked for. @throws LensorError where it is less than they take */
function shareOut(methods: readonly Method[], ratio: number): Method[] {
  const open = methods.filter((one) => one.ratio === undefined);
  const takers = open.length > 0 ? open : [methods.at(-1)!];
  const fixed = methods.filter((one) => !takers.includes(one)).reduce((all, one) => all * one.ratio!, 1);
  // A hair below 1 is a product of rounded ratios.
  const missing = ratio / fixed;
  if (missing < 1 - 1e-9)
    throw new LensorError("pipe: the ratio is less than its methods already take", {
      expected: `a ratio from ${fixed} up`,
      got: String(ratio),
      fix: "Leave out the ratios of the methods, or ask for a higher one.",
    });
  const each = Math.max(1, missing) ** (1 / takers.length);
  return methods.map((one) => (takers.includes(one) ? one.at(each) : one));
}

async function planOf(methods: readonly Method[], source: Source, room: Room): Promise<Plan> {
  let whole: Plan = {};
  // How much smaller it has become before the method at hand; and how much of that by smaller numbers, not by fewer keys.
  let [before, encoded] = [1, 1];
  for (const [i, method] of methods.entries()) {
    const parts = { from: i / methods.length, to: (i + 1) / methods.length };
    const after = i === methods.length - 1 ? room.ratio : before * method.ratio!;
    const more = room.ratio / after;
    // A hair is added to what division leaves below a whole number.
    const left: Room = {
      ratio: after / before,
      bytes: Math.floor(room.bytes * more + 1e-6),
      keys: (biased) => Math.floor(room.keys(biased) * more * encoded + 1e-6),
    };
    const plan = await method.plan(plannedSource(source, whole, parts), left);
    if (plan.encodings && !plan.heads) encoded *= after / before;
    whole = joined(whole, plan);
    before = after;
  }
  return whole;
}

/** What the second plan makes of what the first leaves, as one. */
function joined(first: Plan, second: Plan): Plan {
  const heads =
    first.heads && second.heads
      ? first.heads.map((layer, l) => layer.map((head, h) => afterwards(head, second.heads![l]![h]!, true)))
      : (second.heads ?? first.heads);
  const encodings =
    first.encodings && second.encodings
      ? first.encodings.map((layer, l) => layer.map((one, h) => bothOf(one, second.encodings![l]![h]!)))
      : (second.encodings ?? first.encodings);
  return {
    ...first,
    ...second,
    ...{ heads, encodings, notes: { ...first.notes, ...second.notes } },
  };
}

function bothOf(first: HeadEncoding, second: HeadEncoding): HeadEncoding {
  return { keys: second.keys ?? first.keys, values: second.values ?? first.values };
}
