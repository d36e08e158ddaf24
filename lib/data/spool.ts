// Bytes put away for a while, read again at any place: in memory while they are few, then in a temporary file that has no name
// and so is gone when the process is, however it ends.

import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LensorError } from "../errors.ts";

const IN_MEMORY = 64 << 20;
/** Small pieces are written together. */
const WRITE = 1 << 20;

export class Spool {
  #parts: Buffer[] = [];
  #waiting = 0;
  #inFile = 0;
  #file: FileHandle | undefined;
  #all: Buffer | undefined;

  get bytes(): number {
    return this.#inFile + this.#waiting;
  }

  /** Where the piece is, in bytes. */
  async add(piece: Uint8Array): Promise<number> {
    const at = this.bytes;
    this.#parts.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    this.#waiting += piece.byteLength;
    this.#all = undefined;
    if (this.#waiting >= (this.#file ? WRITE : IN_MEMORY)) await this.#write();
    return at;
  }

  async read(at: number, length: number): Promise<Buffer> {
    if (!this.#file) {
      this.#all ??= Buffer.concat(this.#parts);
      this.#parts = [this.#all];
      return this.#all.subarray(at, at + length);
    }
    await this.#write();
    const piece = Buffer.allocUnsafeSlow(length);
    for (let got = 0; got < length; ) {
      const { bytesRead } = await this.#file.read(piece, got, length - got, at + got);
      if (bytesRead === 0)
        throw new LensorError("A temporary file lost its end", { got: `${at + got} bytes` });
      got += bytesRead;
    }
    return piece;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#parts = [];
  }

  async #write(): Promise<void> {
    const parts = this.#parts;
    [this.#parts, this.#waiting] = [[], 0];
    if (parts.length === 0) return;
    if (!this.#file) {
      const path = join(tmpdir(), `lensor-${process.pid}-${crypto.randomUUID()}`);
      this.#file = await open(path, "wx+", 0o600);
      await rm(path, { force: true }).catch(() => {});
    }
    const bytes = Buffer.concat(parts);
    try {
      for (let done = 0; done < bytes.length; )
        done += (await this.#file.write(bytes, done, bytes.length - done, this.#inFile + done)).bytesWritten;
    } catch (cause) {
      throw new LensorError(`Data could not be put away in ${tmpdir()}: ${(cause as Error).message}`, {
        fix: "Make room there, or set TMPDIR to a folder with more.",
        cause,
      });
    }
    this.#inFile += bytes.length;
  }
}
