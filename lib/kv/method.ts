// What a way to make a cache smaller is, and the records that pass between it and the cache: a method sees a Source, is told
// how much Room there is, and answers with a Plan. It computes; it never changes a cache. compact.ts carries plans out.

import type { Compute } from "../model/compute.ts";
import type { Model } from "../model/model.ts";
import type { Rope } from "../model/rope.ts";
import type { Tensor } from "../tensor/index.ts";

/** One layer of a cache, f32. Heads that hold fewer keys than the longest are padded with zeros behind. */
export interface LayerSource {
  readonly layer: number;
  /** After RoPE, `[kvHeads, T, d]`. */
  readonly keys: Tensor;
  /** `[kvHeads, T, d]`. */
  readonly values: Tensor;
  /** How many of the T each KV head holds. */
  readonly counts: readonly number[];
  /** What is added to each key's scaled score, `[kvHeads, T]`; none where no head has any. */
  readonly bias?: Tensor | undefined;
  /** Where each head's keys stood in the text, ascending: `[kvHeads]` of `[count]`. */
  readonly positions: readonly Int32Array[];
}

/** Which queries a method looks at. Those of a KV head are those of all query heads that read it. */
export type Queries =
  /** Of the last tokens of the text (SnapKV's window, TOVA's one). */
  | { readonly of: "last"; readonly count: number }
  /** Of every token (H2O). */
  | { readonly of: "every" }
  /** So many of the text's own for a KV head, drawn evenly at random over its tokens. */
  | { readonly of: "context"; readonly perHead: number }
  /** So many for a KV head of the text read a second time after "Repeat the previous context verbatim." */
  | { readonly of: "repeat"; readonly perHead: number }
  /** So many for a KV head of the model's own answers when it is asked about the text. */
  | { readonly of: "selfStudy"; readonly perHead: number };

export interface Observed {
  readonly layer: number;
  /** After RoPE, `[heads, n, d]`. */
  readonly queries: Tensor;
  /** The n tokens' positions, ascending; those of "repeat" and "selfStudy" lie behind the text. */
  readonly positions: Int32Array;
  /**
   * Of queries that lie behind the text, where every token's are given: the keys of these tokens, `[kvHeads, n, d]`, one tensor
   * for each stretch of them that was read by itself. Query i of a stretch saw the first i + 1 of its keys too.
   */
  readonly own?: readonly Tensor[] | undefined;
}

/** What a method sees of a cache. */
export interface Source {
  readonly model: Model;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  /** Tokens of the text: the next position. */
  readonly length: number;
  /** The text's tokens, for methods that read it again. */
  readonly ids?: readonly number[] | undefined;
  readonly seed: number;
  /** The mode of its cache: in fast mode a method may compute with 16 bits. Exact unless it says. */
  readonly compute?: Compute | undefined;
  /** What its queries and keys were turned by; the model's own for a text of this length unless it says. */
  readonly rope?: Rope | undefined;
  /** What is stored of a layer. The caller disposes of its tensors, or reads it within a scope. */
  layer(layer: number): LayerSource;
  /**
   * Calls `visit` layer by layer, from the first; its tensors are freed when it has ended. With `settle` what it returns
   * for a layer takes that layer's place before the next layers' queries are made (on-policy).
   */
  observe(
    which: Queries,
    visit: (seen: Observed) => Promise<readonly HeadPlan[] | undefined>,
    options?: { settle?: boolean },
  ): Promise<void>;
  /** Told what part of the work is done, from 0 to 1; throws where the work was stopped. */
  progress(part: number): void;
}

/** How much may stay. */
export interface Room {
  readonly ratio: number;
  /** In bytes, over the whole cache. */
  readonly bytes: number;
  /** How many keys that is, over all heads of all layers, each with its value and, where it is said, a bias. */
  keys(biased: boolean): number;
}

/** What becomes of one KV head. */
export interface HeadPlan {
  /** Places in the head's stored keys, ascending. */
  readonly keep: Int32Array;
  /** Of each kept key. */
  readonly bias?: Float32Array | undefined;
  /** In place of the kept ones, f32 `[keep, d]`. */
  readonly keys?: Tensor | undefined;
  readonly values?: Tensor | undefined;
}

/** How numbers of a head's keys, or of its values, are stored in place of the cache's own type. */
export type Encoding =
  /** Whole numbers with a scale and an offset for each group: a channel of one page of keys, or one token. */
  | {
      readonly kind: "bits";
      readonly bits: 2 | 3 | 4 | 8;
      readonly per: "channel" | "token";
      readonly rotate?: boolean;
    }
  /** Coordinates in an orthonormal basis of the head's own, `[rank, d]` f32. */
  | { readonly kind: "rank"; readonly basis: Tensor }
  /** Only these channels, ascending; the others are 0. */
  | { readonly kind: "channels"; readonly channels: Int32Array }
  /**
   * Directions that heads of two layers share, and the length of each kept key. The first layer's head gives the directions,
   * f32 `[keep, d]`; the other says which layer that is.
   */
  | {
      readonly kind: "shared";
      readonly lengths: Float32Array;
      readonly directions?: Tensor;
      readonly of?: number;
    };

export interface HeadEncoding {
  readonly keys?: Encoding | undefined;
  readonly values?: Encoding | undefined;
}

/** What a method wants to be kept, and how. */
export interface Plan {
  /** `[layers][kvHeads]`; undefined: all keys stay. */
  readonly heads?: readonly (readonly HeadPlan[])[];
  /** `[layers][kvHeads]`, of what is kept; the last `recent` keys stay in the cache's own type. */
  readonly encodings?: readonly (readonly HeadEncoding[])[];
  readonly recent?: number;
  /** How many of each head's full pages of 64 keys a query reads from here on; undefined: all. */
  readonly reads?: number;
  /** What the method found on the way, by head, for the report: its expected output error, the mass that stays. */
  readonly notes?: Readonly<Record<string, readonly (readonly number[])[]>>;
}

/**
 * A way to make a cache smaller: it sees a `Source`, is told how much `Room` there is, and answers with a `Plan`. It
 * computes; it never changes a cache.
 */
export interface Method {
  /** The exported constructor's name; of a pipe the names joined by " + ". */
  readonly name: string;
  /** Bytes before / bytes after; undefined: it is for a sweep, which says. */
  readonly ratio: number | undefined;
  /** What it was made with, for provenance. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The same method with another ratio. */
  at(ratio: number): Method;
  plan(source: Source, room: Room): Promise<Plan>;
}
