// A model in its file or folder, read a stretch of rows at a time. Relies on the readers of lib/model for every offset. Turns
// GGUF's order of query and key rows into lensor's, a head's two halves.

import { type FileHandle, open, stat } from "node:fs/promises";
import { LensorError } from "../errors.ts";
import type { ModelConfig } from "../model/config.ts";
import { type FoundModel, type FoundTensor, find } from "../model/hub.ts";
import { upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Beside } from "../tune/part.ts";
import { readBeside } from "../tune/peft.ts";
import { Dequantizer } from "./dequantize.ts";
import type { Input } from "./input.ts";

const FLOATS = { F32: "f32", F16: "f16", BF16: "bf16" } as const;

export class FileInput implements Input {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly paths: readonly string[];
  readonly #found: FoundModel;
  readonly #tensors: ReadonlyMap<string, FoundTensor>;
  readonly #files: readonly FileHandle[];
  readonly #adapted: ReadonlyMap<string, Beside>;
  readonly #dequantizer = new Dequantizer();
  readonly #spare: Uint8Array[] = [];

  private constructor(
    name: string,
    found: FoundModel,
    files: readonly FileHandle[],
    adapted: ReadonlyMap<string, Beside>,
  ) {
    this.name = name;
    this.config = found.config;
    this.tokenizer = found.tokenizer;
    this.paths = [found.path, ...found.files.map(({ path }) => path)];
    this.#found = found;
    this.#tensors = new Map(found.tensors.map((tensor) => [tensor.name, tensor]));
    this.#files = files;
    this.#adapted = adapted;
  }

  static async open(given: string): Promise<FileInput> {
    const plus = given.lastIndexOf("+");
    const whole = plus < 0 || (await stat(given).catch(() => undefined)) !== undefined;
    const found = await find(whole ? given : given.slice(0, plus));
    const adapter = whole ? undefined : given.slice(plus + 1);
    const adapted = adapter === undefined ? new Map() : await readBeside(found, adapter);
    const files = await Promise.all(found.files.map(({ path }) => open(path, "r")));
    return new FileInput(
      adapter === undefined ? found.name : `${found.name} + adapter`,
      found,
      files,
      adapted,
    );
  }

  async rows(name: string, from: number, to: number): Promise<Tensor> {
    const { type, shape, file, offset, bytes } = this.#tensors.get(name)!;
    const columns = shape.at(-1)!;
    const rows = shape.length === 1 ? 1 : shape[0]!;
    const stride = bytes / rows;
    const count = (to - from) * stride;
    const read = await this.#read(file, offset + from * stride, count, name);
    const own = this.#found.pairs && /\.attn_[qk]\./.test(name) ? this.#halves(read, stride) : read;
    const float = Object.hasOwn(FLOATS, type) ? FLOATS[type as keyof typeof FLOATS] : undefined;
    const values = float
      ? scope(() => upload(wordsOf(own, float), [to - from, columns], float, name).cast("f32"))
      : await this.#dequantizer.rows(own, type, to - from, columns);
    // What was uploaded is copied: the next stretch is read into the same memory.
    this.#spare.push(read);
    const beside = this.#adapted.get(name);
    if (!beside) return values;
    try {
      return scope(() => adapted(values, beside, from, to));
    } finally {
      values.dispose();
    }
  }

  done(): void {
    this.#spare.length = 0;
  }

  async close(): Promise<void> {
    await this.#dequantizer.close();
    for (const { up, down, gain, input } of this.#adapted.values())
      for (const one of [up, down, gain, input]) one?.dispose();
    await Promise.all(this.#files.map((file) => file.close()));
  }

  async #read(file: number, at: number, count: number, name: string): Promise<Uint8Array> {
    const spare = this.#spare.findIndex(({ length }) => length === count);
    const bytes = spare < 0 ? new Uint8Array(count) : this.#spare.splice(spare, 1)[0]!;
    for (let done = 0; done < count; ) {
      const { bytesRead } = await this.#files[file]!.read(bytes, done, count - done, at + done);
      // It may have shrunk since its header was read.
      if (bytesRead === 0)
        throw new LensorError(`${this.#found.files[file]!.path} ends inside ${name}`, {
          expected: `${count} bytes from ${at} on`,
          fix: "It was changed while it was read: merge again.",
        });
      done += bytesRead;
    }
    return bytes;
  }

  /** Neighbours that RoPE turns together, as a head's two halves. Whole heads. */
  #halves(bytes: Uint8Array, stride: number): Uint8Array {
    const { headWidth } = this.config;
    const half = headWidth / 2;
    const turned = new Uint8Array(bytes.length);
    for (let row = 0; row < bytes.length / stride; row++) {
      const at = row % headWidth;
      const from = row - at + 2 * (at % half) + Math.floor(at / half);
      turned.set(bytes.subarray(from * stride, (from + 1) * stride), row * stride);
    }
    return turned;
  }
}

function wordsOf(bytes: Uint8Array, float: "f32" | "f16" | "bf16"): Uint16Array | Float32Array {
  const { buffer, byteLength } = bytes;
  return float === "f32"
    ? new Float32Array(buffer, 0, byteLength / 4)
    : new Uint16Array(buffer, 0, byteLength / 2);
}

/** gain (W input + scale B A), of rows of W. */
function adapted(
  rows: Tensor,
  { rank, scale, up, down, gain, input }: Beside,
  from: number,
  to: number,
): Tensor {
  const read = input ? rows.mul(input.reshape(1, -1)) : rows;
  const low = rank > 0 ? read.add(up!.at([from, to]).matmul(down!).mul(scale)) : read;
  return (gain ? low.mul(gain.at([from, to]).reshape(-1, 1)) : low).clone();
}
