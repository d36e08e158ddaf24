// A cursor over the head of a file: a small window that moves forward, never the whole file in memory.
// Values are read synchronously out of the window; only running out of it waits. Every read is checked against
// the file's end and against a cap on how much of a file may be header.

import type { FileHandle } from "node:fs/promises";
import { LensorError } from "../errors.ts";

const WINDOW = 1 << 20;

export class HeaderReader {
  private window: Buffer = Buffer.alloc(0);
  private start = 0;
  private at = 0;
  private readonly file: FileHandle;
  private readonly size: number;
  private readonly cap: number;
  readonly path: string;

  constructor(file: FileHandle, path: string, size: number, cap: number) {
    this.file = file;
    this.path = path;
    this.size = size;
    this.cap = cap;
  }

  /** Bytes from the start of the file to the cursor. */
  get position(): number {
    return this.start + this.at;
  }

  /** Bytes of the file after the cursor. */
  get remaining(): number {
    return this.size - this.position;
  }

  /** True when `bytes` more can be read without waiting; else `await fill(bytes, field)` first. */
  has(bytes: number): boolean {
    return this.window.length - this.at >= bytes;
  }

  async fill(bytes: number, field: string): Promise<void> {
    if (this.has(bytes)) return;
    if (bytes > this.remaining) throw this.ended(field, bytes);
    if (this.position + bytes > this.cap)
      throw new LensorError(`${this.path}: the header is too large, at ${field}`, {
        expected: `at most ${this.cap} bytes of header`,
        got: `more than ${this.position + bytes}`,
        fix: "The file is damaged or was not written by a GGUF tool: fetch it again.",
      });
    const position = this.position;
    const next = Buffer.allocUnsafe(Math.min(Math.max(bytes, WINDOW), this.remaining));
    let filled = 0;
    while (filled < next.length) {
      const { bytesRead } = await this.file.read(next, filled, next.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    // The file may have shrunk since its size was taken.
    if (filled < bytes) throw this.ended(field, bytes);
    this.window = next.subarray(0, filled);
    this.start = position;
    this.at = 0;
  }

  u8 = () => this.window.readUInt8(this.skip(1));
  i8 = () => this.window.readInt8(this.skip(1));
  u16 = () => this.window.readUInt16LE(this.skip(2));
  i16 = () => this.window.readInt16LE(this.skip(2));
  u32 = () => this.window.readUInt32LE(this.skip(4));
  i32 = () => this.window.readInt32LE(this.skip(4));
  f32 = () => this.window.readFloatLE(this.skip(4));
  f64 = () => this.window.readDoubleLE(this.skip(8));

  /** 64 bits as a number where that is exact, else as a bigint. */
  u64 = () => exact(this.window.readBigUInt64LE(this.skip(8)));
  i64 = () => exact(this.window.readBigInt64LE(this.skip(8)));

  /** An unsigned 64-bit count, which must not exceed `most`: no arithmetic on it can overflow afterwards. */
  count(field: string, most: number): number {
    const low = this.u32();
    const high = this.u32();
    const value = high * 2 ** 32 + low;
    if (value > most)
      throw new LensorError(`${this.path}: ${field} is too large`, {
        expected: `at most ${most}`,
        got: String((BigInt(high) << 32n) | BigInt(low)),
        fix: "The file is damaged: fetch it again.",
      });
    return value;
  }

  /** Text of a byte length. Broken UTF-8 becomes U+FFFD, as descriptions and names in the wild hold such bytes. */
  text(bytes: number): string {
    const at = this.skip(bytes);
    return this.window.toString("utf8", at, at + bytes);
  }

  private skip(bytes: number): number {
    const at = this.at;
    this.at += bytes;
    return at;
  }

  private ended(field: string, bytes: number): LensorError {
    return new LensorError(`${this.path}: the file ends inside ${field}`, {
      expected: `${bytes} more bytes at offset ${this.position}`,
      got: `the end of the file at ${this.size} bytes`,
      fix: "The GGUF file was truncated, as by a download that stopped: fetch it again.",
    });
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
