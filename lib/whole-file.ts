// Writes a file whole or not at all: beside it first, to the disk, then by its name. Whatever ends it in between leaves what
// stood there before. Knows no format.

import { open, rename, rm } from "node:fs/promises";
import { LensorError } from "./errors.ts";

/** Adds bytes to the end of the file. */
export type Put = (bytes: Uint8Array) => Promise<void>;

/** @throws LensorError where the system refuses (no room, no right); whatever `write` throws, as it is */
export async function writeWhole(path: string, write: (put: Put) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.part`;
  try {
    const file = await open(temporary, "w");
    try {
      await write(async (bytes) => {
        // One call may write less than it was given.
        for (let at = 0; at < bytes.byteLength; )
          at += (await file.write(bytes, at, bytes.byteLength - at)).bytesWritten;
      });
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    const { code, syscall } = cause as NodeJS.ErrnoException;
    if (cause instanceof LensorError || !code || !syscall) throw cause;
    throw new LensorError(`${path} cannot be written: ${code}`, { cause });
  }
}
