// Keys and values in few bits (KIVI, Liu et al. 2024, arXiv 2402.02750; KVQuant, Hooper et al. 2024, arXiv 2401.18079): keys by
// channel, whose outliers stay in their channel, values by token; a Hadamard rotation spreads outliers (QuaRot, Ashkboos et
// al. 2024). With a ratio in place of bits, heads get 2, 3, 4, 8 bits or none by what rounding them would cost.

import { LensorError } from "../../errors.ts";
import { checkChoice, checkFlag, checkNumber, describe } from "../../options.ts";
import type { Encoding, HeadEncoding, Method, Plan, Room, Source } from "../method.ts";
import { checkRatio, optionsOf } from "../select/selection.ts";
import { allocate } from "./allocate.ts";
import { countsOf } from "./counts.ts";
import { type Grouping, noiseOf } from "./noise.ts";
import { numbersOf, sideBytes } from "./size.ts";

type Bits = 2 | 3 | 4 | 8;
const BITS: readonly Bits[] = [2, 3, 4, 8];

export interface KvQuantOptions {
  /** Bytes before / bytes after: bits are then given out by importance. */
  ratio?: number;
  /** The same for every head, in place of a ratio. */
  bits?: Bits | { keys: Bits; values: Bits };
  /** What shares a scale and an offset: a channel over the 64 keys of a page (the default of keys), or one token's numbers. */
  keys?: "channel" | "token";
  /** As `keys`, of values: "token" by default. */
  values?: "channel" | "token";
  /** Turns both by a Hadamard matrix before they are rounded; the head width has to be a power of two. */
  rotate?: boolean;
  /** In tokens: at least so many of the last stay as they are. New ones do anyway. */
  recent?: number;
  /** How many of the last tokens' queries say what rounding costs: 32. */
  window?: number;
}

/**
 * Keys and values in few bits (KIVI, Liu et al. 2024, arXiv 2402.02750; KVQuant, Hooper et al. 2024, arXiv 2401.18079): keys
 * by channel, values by token, after a Hadamard rotation that spreads outliers (QuaRot, Ashkboos et al. 2024). With a ratio
 * in place of bits, heads get 2, 3, 4, 8 bits or none by what rounding costs each.
 */
export function kvQuant(given: KvQuantOptions = {}): Method {
  const { options, ratio } = optionsOf<Omit<KvQuantOptions, "ratio" | "bits"> & { bits?: unknown }>(
    "kvQuant",
    given,
    { bits: undefined, keys: "channel", values: "token", rotate: false, recent: 0, window: 32 },
  );
  const { keys, values, rotate, recent, window } = options as Required<
    Omit<KvQuantOptions, "ratio" | "bits">
  >;
  for (const [name, per] of Object.entries({ keys, values }))
    checkChoice("kvQuant", name, per, ["channel", "token"]);
  checkFlag("kvQuant", "rotate", rotate);
  checkNumber("kvQuant", "recent", recent, { least: 0, whole: true });
  checkNumber("kvQuant", "window", window, { least: 1, whole: true });
  const fixed = bitsOf(given.bits);
  if (fixed && ratio !== undefined)
    throw new LensorError("kvQuant takes bits or a ratio", {
      expected: "kvQuant({ bits: 4 }) or kvQuant({ ratio: 4 })",
      got: "both",
    });
  const grouping: Grouping = { keys, values, rotate };
  return {
    name: "kvQuant",
    // Of 16 bits, with a scale and an offset of f16 for each 64 numbers.
    ratio: fixed ? 32 / (fixed.keys + fixed.values + 1) : checkRatio("kvQuant", ratio),
    options: { ...grouping, recent, ...(fixed ? { bits: given.bits } : { window }) },
    at: (ratio) => {
      const { bits: _, ...rest } = given;
      return kvQuant({ ...rest, ratio });
    },
    plan: (source, room) => {
      checkWidth(source, rotate);
      return fixed
        ? fixedPlan(source, room, grouping, fixed, recent)
        : mixedPlan(source, room, grouping, recent, window);
    },
  };
}

function bitsOf(bits: KvQuantOptions["bits"]): { keys: Bits; values: Bits } | undefined {
  if (bits === undefined) return undefined;
  const both = typeof bits === "number" ? { keys: bits, values: bits } : bits;
  if (BITS.includes(both?.keys) && BITS.includes(both?.values)) return both;
  throw new LensorError("kvQuant: bits is wrong", {
    expected: "2, 3, 4 or 8, or { keys, values } of these",
    got: describe(bits),
  });
}

function checkWidth({ headWidth }: Source, rotate: boolean): void {
  if (!rotate || (headWidth & (headWidth - 1)) === 0) return;
  throw new LensorError("kvQuant: only heads whose width is a power of two can be rotated", {
    got: `a width of ${headWidth}`,
    fix: "Leave out rotate.",
  });
}

const encodingOf = ({ keys, values, rotate }: Grouping, side: "keys" | "values", bits: Bits): Encoding => ({
  ...{ kind: "bits", bits, per: side === "keys" ? keys : values, rotate },
});

async function fixedPlan(
  source: Source,
  room: Room,
  grouping: Grouping,
  bits: { keys: Bits; values: Bits },
  recent: number,
): Promise<Plan> {
  if (numbersOf(room, source.headWidth).size === 1)
    throw new LensorError("kvQuant: this cache holds 8 bits already, so bits do not say what it becomes", {
      expected: "kvQuant({ ratio })",
      fix: `Or read the text with kv: "f16".`,
    });
  const one: HeadEncoding = {
    keys: encodingOf(grouping, "keys", bits.keys),
    values: encodingOf(grouping, "values", bits.values),
  };
  const layers = Array.from({ length: source.layers }, () =>
    Array.from({ length: source.kvHeads }, () => one),
  );
  return { encodings: layers, recent };
}

async function mixedPlan(
  source: Source,
  room: Room,
  grouping: Grouping,
  recent: number,
  window: number,
): Promise<Plan> {
  const numbers = numbersOf(room, source.headWidth);
  const counts = await countsOf(source);
  const noise = await noiseOf(source, grouping, window);
  const sides = ["keys", "values"] as const;
  const places = counts.flatMap((heads, layer) =>
    heads.flatMap((count, head) => sides.map((side) => ({ layer, head, side, count }))),
  );
  const choices = [...BITS.map((bits) => bits as Bits | undefined), undefined];
  const parts = places.map(({ layer, head, side, count }) =>
    choices.map((bits) => ({
      bytes: sideBytes(
        count,
        recent,
        bits && { kind: "bits", bits, per: grouping[side] },
        side === "values",
        numbers,
      ),
      error: bits ? noise[layer]![side][head]! / (2 ** bits - 1) ** 2 : 0,
    })),
  );
  const chosen = allocate(parts, room.bytes);
  if (!chosen) {
    const least = parts.reduce((sum, part) => sum + Math.min(...part.map(({ bytes }) => bytes)), 0);
    throw new LensorError(`kvQuant: not even 2 bits make the cache ${room.ratio} times as small`, {
      expected: `a ratio of at most ${((room.bytes * room.ratio) / least).toFixed(2)}`,
      got: String(room.ratio),
      fix: "Let another method drop keys first: pipe(snapKV({ ratio: 4 }), kvQuant()).",
    });
  }
  const own = new Map(
    places.map((place, i) => [`${place.layer} ${place.head} ${place.side}`, choices[chosen[i]!]]),
  );
  const bitsAt = (layer: number, head: number, side: "keys" | "values") =>
    own.get(`${layer} ${head} ${side}`);
  const byHead = <T>(of: (layer: number, head: number) => T) =>
    counts.map((heads, layer) => heads.map((_, head) => of(layer, head)));
  const left = (layer: number, head: number, side: "keys" | "values") => {
    const bits = bitsAt(layer, head, side);
    return bits ? noise[layer]![side][head]! / (2 ** bits - 1) ** 2 : 0;
  };
  return {
    encodings: byHead((layer, head) => {
      const [keys, values] = sides.map((side) => {
        const bits = bitsAt(layer, head, side);
        return bits && encodingOf(grouping, side, bits);
      });
      return { keys, values };
    }),
    recent,
    notes: {
      keyBits: byHead((layer, head) => bitsAt(layer, head, "keys") ?? 8 * numbers.size),
      valueBits: byHead((layer, head) => bitsAt(layer, head, "values") ?? 8 * numbers.size),
      expectedError: byHead((layer, head) =>
        Math.sqrt(left(layer, head, "keys") + left(layer, head, "values")),
      ),
    },
  };
}
