/**
 * `lensor bench decode` and `lensor bench prefill`: the same file in a native llama.cpp, and the best 4-bit format that it
 * has fast kernels for, made from that file with its own quantizer.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readGguf } from "../../../lib/model/gguf.ts";
import { locate } from "../../../lib/model/registry.ts";
import type { Contest, Peer, Targets } from "../figure.ts";
import type { Options } from "../options.ts";
import { peersFolder } from "../peers.ts";
import { root } from "../side.ts";

export const decode = {
  rounds: 7,
  async contests({ model, context, tokens, short }: Options): Promise<Contest[]> {
    const file = await open(model);
    const lengths = context ? [context] : short ? [64] : [64, 4096];
    return lengths.map((length): Contest => {
      const args = { prompt: textIds(length), tokens: tokens ?? (short ? 16 : 128) };
      return {
        name: `${args.tokens} tokens after ${length}`,
        unit: "token/s",
        memory: true,
        work: 1,
        bound: { probe: "read", each: file.bytes },
        ours: { prepare: "decode", args: { ...args, file: file.path } },
        peers: llamas("decode", file.path, args),
        targets: short ? {} : DECODE[length],
      };
    });
  },
};

export const prefill = {
  rounds: 9,
  async contests({ model, context, short }: Options): Promise<Contest[]> {
    const file = await open(model);
    const length = context ?? (short ? 64 : 512);
    const args = { prompt: textIds(length) };
    return [
      {
        name: `${length} tokens`,
        unit: "token/s",
        memory: true,
        work: 1,
        // What the blocks multiply; scores and the last token's logits are left out.
        bound: { probe: "i8", each: 2 * file.inner },
        ours: { prepare: "prefill", args: { ...args, file: file.path } },
        peers: llamas("prefill", file.path, args),
        targets: length === 512 ? { ratio: { "same file": 3, Q4_0: 2 } } : {},
      },
    ];
  },
};

const DECODE: Readonly<Record<number, Targets>> = {
  64: { ratio: { "same file": 2, Q4_0: 1.4 }, share: 0.75 },
  4096: { ratio: { Q4_0: 2 } },
};

function llamas(what: string, file: string, args: object): Peer[] {
  const quantized = join(peersFolder(), `${basename(file, ".gguf")}-as-Q4_0.gguf`);
  const job = (more: object) => ({ prepare: what, args: { ...args, file, ...more } });
  return [
    { label: "same file", script: "llama", job: job({}) },
    { label: "Q4_0", script: "llama", job: job({ quantized }) },
  ];
}

/** A model's file: the bytes of all its weights, and how many numbers its blocks' matrices have. */
async function open(model: string): Promise<{ path: string; bytes: number; inner: number }> {
  const { path } = await locate(model);
  const { tensors } = await readGguf(path);
  const matrices = tensors.filter(({ name, shape }) => name.startsWith("blk.") && shape.length === 2);
  return {
    path,
    bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    inner: matrices.reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0),
  };
}

/** The first tokens of a fixed English text, repeated when more are asked for. */
export function textIds(count: number): number[] {
  const file = join(root, "test/fixtures/smollm2.json");
  const { text } = JSON.parse(readFileSync(file, "utf8")) as { text: { ids: number[] } };
  return Array.from({ length: count }, (_, i) => text.ids[i % text.ids.length]!);
}
