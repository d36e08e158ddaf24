// One case of cases.ts in every way that must give the same bits: rows alone and together, padded, cut, packed, out of
// another layout. What comes out is a fingerprint a way.

import { createHash } from "node:crypto";
import { hub, type Model, nn, Tensor, tensor } from "../../../lib/index.ts";
import { packedAttention } from "../../../lib/tensor/nn/attention.ts";
import { linearCrossEntropy, linearLogprobs } from "../../../lib/tensor/nn/loss.ts";
import type { Cases, Kind } from "./cases.ts";

/** What -> in which way -> fingerprint: those of one thing must be equal. */
export type Fingerprints = Record<string, Record<string, string>>;
type Ways = Record<string, Record<string, Tensor | readonly number[]>>;

/** The models' files, by their number. */
let files: readonly string[] = [];
const models = new Map<string, Promise<Model>>();
export function useModels(paths: readonly string[]): void {
  files = paths;
}
/** "learning": its weights are tensors, not packed. */
function modelOf(number: number, state: "frozen" | "learning" = "frozen"): Promise<Model> {
  const load = async () => {
    const model = await hub.load(files[number]!);
    if (state === "learning") model.parameters();
    return model;
  };
  const key = `${number} ${state}`;
  if (!models.has(key)) models.set(key, load());
  return models.get(key)!;
}

export async function compute<K extends Kind>(kind: K, one: Cases[K]): Promise<Fingerprints> {
  const found: Fingerprints = {};
  for (const [what, ways] of Object.entries(await KINDS[kind](one))) {
    found[what] = {};
    for (const [way, value] of Object.entries(ways)) {
      const data = value instanceof Tensor ? await value.data() : Float64Array.from(value);
      found[what][way] = createHash("sha1").update(data).digest("hex").slice(0, 12);
      if (value instanceof Tensor) value.dispose();
    }
  }
  return found;
}

/** Uniform in [-1, 1), the same in every process. */
function noise(shape: number[], seed: number, dtype: "f32" | "f16" | "bf16" = "f32"): Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = state / 2 ** 31;
  }
  return tensor(values, { shape }).cast(dtype);
}

/** [from, to) of the parts of `length`, of the lengths in `cut` by turns. */
function parts(length: number, cut: readonly number[]): [number, number][] {
  const all: [number, number][] = [];
  for (let at = 0, i = 0; at < length; i++) {
    const to = Math.min(length, at + cut[i % cut.length]!);
    all.push([at, to]);
    at = to;
  }
  return all;
}

function inParts(
  x: Tensor,
  cut: readonly number[],
  body: (part: Tensor, from: number, to: number) => Tensor,
) {
  return tensor.cat(parts(x.shape[0]!, cut).map(([from, to]) => body(x.at([from, to]), from, to)));
}

const KINDS: { [K in Kind]: (one: Cases[K]) => Ways | Promise<Ways> } = {
  matmul({ seed, cut, m, k, n, dtype }) {
    const [x, w] = [noise([m, k], seed, dtype), noise([k, n], seed + 1, dtype)];
    const [other, another] = [noise([m, k], seed + 2, dtype), noise([k, n], seed + 3, dtype)];
    const wT = w.T.clone();
    const columns = parts(n, cut).map(([from, to]) => x.matmul(w.at(null, [from, to])));
    const arriving = noise([m, n], seed + 4, dtype);
    const gradient = (rows: Tensor, from: number, to: number) => {
      const leaf = rows.clone().requiresGrad();
      leaf.matmul(w).backward(arriving.at([from, to]).contiguous());
      return leaf.grad!;
    };
    return {
      product: {
        whole: x.matmul(w),
        "rows in parts": inParts(x, cut, (part) => part.matmul(w)),
        "columns in parts": tensor.cat(columns, 1),
        "with more rows": tensor.cat([x, other]).matmul(w).at([0, m]),
        "in a batch": tensor
          .stack([other, x])
          .matmul(tensor.stack([another, w]))
          .at(1),
        "of transposes": nn.linear(x.T.clone().T, wT),
      },
      "gradient of x": { whole: gradient(x, 0, m), "rows in parts": inParts(x, cut, gradient) },
    };
  },

  attention({ seed, cut, causal, bf16, lengths, kvHeads, group, d, window }) {
    const dtype = bf16 ? "bf16" : "f32";
    const heads = kvHeads * group;
    const offsets = [0];
    for (const length of lengths) offsets.push(offsets.at(-1)! + length);
    const total = offsets.at(-1)!;
    const [q, k, v] = [heads, kvHeads, kvHeads].map((h, i) => noise([total, h, d], seed + i, dtype)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const options = { causal, ...(window !== undefined && { window }) };
    const of = (qs: [number, number], ks: [number, number]) =>
      packedAttention(q.at(qs), k.at(ks), v.at(ks), {
        ...options,
        queries: [0, qs[1] - qs[0]],
        keys: [0, ks[1] - ks[0]],
      });
    const each = (body: (begin: number, end: number) => Tensor) =>
      tensor.cat(lengths.map((_, i) => body(offsets[i]!, offsets[i + 1]!)));
    const headsFirst = (x: Tensor, h: [number, number]) => x.permute(1, 0, 2).at(h);
    return {
      attention: {
        packed: packedAttention(q, k, v, { ...options, queries: offsets, keys: offsets }),
        "each alone": each((begin, end) => of([begin, end], [begin, end])),
        // A part of the queries sees the keys up to its own end.
        "queries in parts": each((begin, end) =>
          tensor.cat(
            parts(end - begin, cut).map(([from, to]) =>
              of([begin + from, begin + to], [begin, causal ? begin + to : end]),
            ),
          ),
        ),
        "heads alone": each((begin, end) => {
          const [qs, ks, vs] = [q, k, v].map((x) => x.at([begin, end])) as [Tensor, Tensor, Tensor];
          const mixed = Array.from({ length: kvHeads }, (_, h) =>
            nn.attention(
              headsFirst(qs, [h * group, (h + 1) * group]),
              headsFirst(ks, [h, h + 1]),
              headsFirst(vs, [h, h + 1]),
              options,
            ),
          );
          return tensor.cat(mixed).permute(1, 0, 2);
        }),
      },
    };
  },

  rows({ seed, cut, m, n, operation, dtype }) {
    const x = noise([m, n], seed, dtype);
    const gain = noise([n], seed + 1);
    const targets = tensor(BigInt64Array.from({ length: m }, (_, i) => BigInt((i * 7919) % n)));
    const body = (rows: Tensor, from = 0, to = m): Tensor => {
      switch (operation) {
        case "softmax":
        case "logSoftmax":
        case "cumsum":
          return rows[operation](-1);
        case "rmsNorm":
          return nn.rmsNorm(rows, gain);
        case "layerNorm":
          return nn.layerNorm(rows, gain, gain);
        case "crossEntropy":
          return nn.crossEntropy(rows, targets.at([from, to]), { reduction: "none" });
        case "gelu":
          return rows.gelu();
        case "swiglu":
          return nn.swiglu(rows, rows.mul(0.5));
        default:
          return rows[operation](-1);
      }
    };
    const turned = x.T.clone();
    return {
      [operation]: {
        whole: body(x),
        "rows in parts": inParts(x, cut, body),
        "with more rows": body(tensor.cat([noise([3, n], seed + 2, dtype), x]).at([3, m + 3])),
        "out of columns": body(turned.T),
      },
    };
  },

  head({ seed, cut, rows, width, classes, bf16 }) {
    const precision = bf16 ? "bf16" : "f32";
    const [x, w] = [noise([rows, width], seed), noise([classes, width], seed + 1)];
    const targets = tensor(BigInt64Array.from({ length: rows }, (_, i) => BigInt((i * 7919) % classes)));
    const share = tensor.full([rows], 1 / rows);
    const likely = (part: Tensor, from: number, to: number) =>
      linearLogprobs(part, w, targets.at([from, to]), { precision });
    const gradient = (part: Tensor, from: number, to: number) => {
      const leaf = part.clone().requiresGrad();
      linearCrossEntropy(leaf, w, targets.at([from, to]), {
        ...{ precision, weights: share.at([from, to]) },
      }).backward();
      return leaf.grad!;
    };
    return {
      logprobs: { whole: likely(x, 0, rows), "rows in parts": inParts(x, cut, likely) },
      "gradient of x": { whole: gradient(x, 0, rows), "rows in parts": inParts(x, cut, gradient) },
    };
  },

  async forward({ seed, cut, model: number, length, fast }) {
    const model = await modelOf(number);
    const ids = idsOf(model, seed, length);
    const compute = fast ? "fast" : "exact";
    const { logits: whole } = await model.forward(ids, { compute });
    const cache = (await model.prefill(ids.slice(0, 1), { compute })).rewind(0);
    const chunks: Tensor[] = [];
    for (const [from, to] of parts(length, cut))
      chunks.push((await model.forward(ids.slice(from, to), { compute, cache })).logits);
    const half = cache.rewind(Math.floor(length / 2));
    const again = await model.forward(ids.slice(half.length), { compute, cache: half });
    return {
      logits: { whole, "in parts": tensor.cat(chunks) },
      "logits of the second half": { whole: whole.at([length >> 1, length]), "of a fork": again.logits },
    };
  },

  async packed({ seed, model: number, bf16, lengths }) {
    const model = await modelOf(number);
    const precision = bf16 ? "bf16" : "f32";
    const sequences = lengths.map((length, i) => idsOf(model, seed + i, length));
    const alone = sequences.map((ids) => model.logprobs(ids, { precision }));
    const learning = await modelOf(number, "learning");
    return {
      logprobs: {
        packed: model.logprobs(sequences, { precision }),
        "each alone": tensor.cat(alone),
        "of unpacked weights": learning.logprobs(sequences, { precision }),
      },
    };
  },

  async generate({ seed, model: number, fast, greedy, lengths, tokens, first }) {
    const model = await modelOf(number);
    const options = { compute: fast ? "fast" : "exact", temperature: greedy ? 0 : 1, seed } as const;
    const prompts = lengths.map((length, i) => model.tokenizer.decode(idsOf(model, seed + i, length)));
    const alone = [];
    for (const prompt of prompts) alone.push(await model.generate(prompt, { ...options, maxTokens: tokens }));
    const together = await model.generate(prompts, { ...options, maxTokens: tokens });
    const numbers = (replies: { tokens: readonly number[]; logprobs: readonly number[] }[]) =>
      replies.flatMap((reply) => [...reply.tokens, ...reply.logprobs]);
    // What was drawn one by one is read at once: drawing goes on from there with the same bits. A sampler's numbers belong to
    // positions in the reply, so only the likeliest tokens can be taken up again.
    const { ids } = model.tokenizer.encode(prompts[0]!);
    const whole = await model.generate(ids, { ...options, temperature: 0, maxTokens: tokens });
    const begun = whole.tokens.slice(0, Math.min(first, tokens - 1));
    const rest = await model.generate([...ids, ...begun], {
      ...{ ...options, temperature: 0, maxTokens: tokens - begun.length },
    });
    const tail = { tokens: whole.tokens.slice(begun.length), logprobs: whole.logprobs.slice(begun.length) };
    return {
      replies: { alone: numbers(alone), together: numbers(together) },
      "the rest": { "drawn at once": numbers([tail]), "taken up": numbers([rest]) },
    };
  },
};

/** Ids that a text can have: those of single bytes. */
function idsOf(model: Model, seed: number, length: number): number[] {
  const letters = model.tokenizer.encode("abcdefghijklmnopqrstuvwxyz .,!").ids;
  return Array.from({ length }, (_, i) => letters[(seed * 31 + i * i * 7 + i * seed) % letters.length]!);
}
