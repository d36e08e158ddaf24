// Takes one member out of a zip archive (a Python wheel is one), streaming to disk. Relies on node's zlib; knows stored
// and deflated members below 4 GiB. Never writes anything but the one file it was asked for.

import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { LensorError } from "../errors.ts";

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record with the longest comment it can have. */
const END_MOST = 22 + 0xffff;
const DIRECTORY_MOST = 16 << 20;

interface Member {
  method: number;
  crc: number;
  packed: number;
  bytes: number;
  offset: number;
}

/** Extracts `member` of the archive into `target`, which must not exist. Checks its size and CRC-32. */
export async function extract(
  archive: string,
  member: string,
  target: string,
  onBytes: (done: number, total: number) => void = () => {},
): Promise<void> {
  const bad = (problem: string) =>
    new LensorError(`${archive}: ${problem}`, {
      fix: "The archive is damaged: delete it and fetch it again.",
    });
  const file = await open(archive, "r");
  let found: Member;
  let start: number;
  try {
    const { size } = await file.stat();
    found = await find(file, size, member, bad);
    const local = await read(file, found.offset, 30, size, bad);
    if (local.readUInt32LE(0) !== LOCAL) throw bad("a member's own header is missing");
    start = found.offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
    if (start + found.packed > size) throw bad(`member ${member} lies past the end`);
  } finally {
    await file.close();
  }
  let done = 0;
  let crc = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      // Stops a bomb: nothing beyond the size that the directory promised is written.
      if (done > found.bytes) return next(bad(`member ${member} is longer than the archive says`));
      crc = crc32(chunk, crc);
      onBytes(done, found.bytes);
      next(null, chunk);
    },
  });
  const source = createReadStream(archive, { start, end: start + found.packed - 1 });
  const sink = createWriteStream(target, { flags: "wx" });
  if (found.method === 0) await pipeline(source, check, sink);
  else await pipeline(source, createInflateRaw(), check, sink);
  if (done !== found.bytes || crc !== found.crc) throw bad(`member ${member} is not what was packed`);
}

async function find(
  file: FileHandle,
  size: number,
  member: string,
  bad: (problem: string) => LensorError,
): Promise<Member> {
  const tailAt = Math.max(0, size - END_MOST);
  const tail = await read(file, tailAt, size - tailAt, size, bad);
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--;
  if (end < 0) throw bad("not a zip archive");
  const bytes = tail.readUInt32LE(end + 12);
  const offset = tail.readUInt32LE(end + 16);
  if (bytes > DIRECTORY_MOST) throw bad("its directory is too large");
  const directory = await read(file, offset, bytes, size, bad);
  for (let at = 0; at + 46 <= bytes; ) {
    if (directory.readUInt32LE(at) !== ENTRY) throw bad("its directory is broken");
    const nameLength = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + 46, Math.min(bytes, at + 46 + nameLength));
    if (name === member) {
      const method = directory.readUInt16LE(at + 10);
      const [packed, unpacked] = [directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 24)];
      if (method !== 0 && method !== 8) throw bad(`member ${member} uses compression method ${method}`);
      if (directory.readUInt16LE(at + 8) & 1) throw bad(`member ${member} is encrypted`);
      if (packed === 0 || unpacked === 0xffffffff) throw bad(`member ${member} is empty or beyond 4 GiB`);
      const crc = directory.readUInt32LE(at + 16);
      return { method, crc, packed, bytes: unpacked, offset: directory.readUInt32LE(at + 42) };
    }
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw bad(`it holds no ${member}`);
}

async function read(
  file: FileHandle,
  offset: number,
  length: number,
  size: number,
  bad: (problem: string) => LensorError,
): Promise<Buffer> {
  if (offset + length > size) throw bad("it ends too early");
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, offset);
  if (bytesRead < length) throw bad("it ends too early");
  return buffer;
}
