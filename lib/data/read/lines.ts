// The lines of a text file, plain or gzipped, a block at a time; memory does not grow with the file, nor with a line that never
// ends. Bytes that are no UTF-8 are given as they are: what becomes of them is the format's to say.

import { Buffer, isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { LensorError } from "../../errors.ts";

/** Read at a time. */
const BLOCK = 1 << 20;
/** Characters of a line at most: no row is longer, and a file without line breaks does not fill the memory. */
export const LINE_MOST = 64 << 20;

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its line break; undefined where the bytes are not text in the file's encoding. */
  readonly text: string | undefined;
  /** What is wrong with it, and its bytes read as Latin-1, where it has no text. */
  readonly problem?: string;
  readonly raw?: string;
}

export interface TextOptions {
  /** By default UTF-8, or UTF-16 where the file begins with its mark; else a name that TextDecoder knows, such as "latin1". */
  readonly encoding?: string;
  /** Of a file that is cut short: an error, or what there is of it. */
  readonly damaged: "refuse" | "keep";
}

/** Called where a file ends early, with the number of whole lines before. */
export type CutShort = (lines: number, problem: string) => void;

/** All lines, in blocks of about a megabyte. An empty line at the end of the file is none. */
export async function* linesOf(
  path: string,
  options: TextOptions,
  cutShort: CutShort,
): AsyncGenerator<Line[]> {
  const encoding = options.encoding ?? (await markOf(path));
  let whole = 0;
  const cut = (problem: string) => cutShort(whole, problem);
  const blocks = encoding ? decodedBlocks(path, encoding, options, cut) : byteBlocks(path, options, cut);
  for await (const lines of blocks) {
    const before = whole;
    whole += lines.length;
    if (lines.length > 0) yield lines.map((line, i) => ({ ...line, number: before + i + 1 }));
  }
}

type Piece = Omit<Line, "number">;

async function* byteBlocks(
  path: string,
  options: TextOptions,
  cut: (problem: string) => void,
): AsyncGenerator<Piece[]> {
  // What belongs to a line whose end has not come.
  let open: Buffer[] = [];
  let held = 0;
  let first = true;
  for await (const given of bytesOf(path, options, cut)) {
    let block = given;
    if (first && block[0] === 0xef && block[1] === 0xbb && block[2] === 0xbf) block = block.subarray(3);
    first = false;
    const end = block.lastIndexOf(10);
    if (end < 0) {
      // Of a line that is too long only the beginning is kept.
      if (held <= LINE_MOST) open.push(block);
      held += block.length;
      continue;
    }
    const whole = Buffer.concat([...open, block.subarray(0, end)]);
    if (held > LINE_MOST) {
      yield [tooLongLine(whole)];
      const next = whole.indexOf(10);
      if (next >= 0) yield split(whole.subarray(next + 1));
    } else yield split(whole);
    const tail = Buffer.from(block.subarray(end + 1));
    [open, held] = [[tail], tail.length];
  }
  const last = Buffer.concat(open);
  if (held > LINE_MOST) yield [tooLongLine(last)];
  else if (last.length > 0) yield split(last);
}

function split(bytes: Buffer): Piece[] {
  // Mostly the whole block is right, and one check and one decoding do for all its lines.
  if (isUtf8(bytes)) return bytes.toString("utf8").split("\n").map(plain);
  const lines: Piece[] = [];
  for (let at = 0; at <= bytes.length; ) {
    const next = bytes.indexOf(10, at);
    const line = bytes.subarray(at, next < 0 ? bytes.length : next);
    if (isUtf8(line)) lines.push(plain(line.toString("utf8")));
    else lines.push({ text: undefined, problem: "bytes that are no UTF-8", raw: line.toString("latin1") });
    if (next < 0) break;
    at = next + 1;
  }
  return lines;
}

const plain = (line: string): Piece => ({ text: line.endsWith("\r") ? line.slice(0, -1) : line });

function tooLongLine(bytes: Buffer): Piece {
  const problem = `longer than ${LINE_MOST >> 20} million characters`;
  return { text: undefined, problem, raw: bytes.toString("latin1", 0, 1 << 16) };
}

async function* decodedBlocks(
  path: string,
  encoding: string,
  options: TextOptions,
  cut: (problem: string) => void,
): AsyncGenerator<Piece[]> {
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(encoding, { fatal: true });
  } catch (cause) {
    throw new LensorError(`data.read: there is no encoding ${JSON.stringify(encoding.slice(0, 40))}`, {
      expected: `"utf-8", "utf-16le", "latin1", "windows-1252", "shift_jis" or another that TextDecoder knows`,
      cause,
    });
  }
  let open = "";
  const add = (bytes?: Uint8Array) => {
    try {
      open += decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new LensorError(`${path} is not text in ${encoding}`, {
        fix: "Name its encoding: data.read(path, { encoding }).",
        cause,
      });
    }
  };
  for await (const block of bytesOf(path, options, cut)) {
    add(block);
    const lines = open.split("\n");
    open = lines.pop()!;
    if (open.length > LINE_MOST)
      throw new LensorError(`${path} has a line of more than ${LINE_MOST} characters`, {
        fix: `Is it text in ${encoding}?`,
      });
    yield lines.map(plain);
  }
  add();
  if (open !== "") yield [plain(open)];
}

/** UTF-16's name where the file begins with its mark. */
async function markOf(path: string): Promise<string | undefined> {
  const file = await open(path, "r");
  const head = Buffer.alloc(2);
  await file.read(head, 0, 2, 0).finally(() => file.close());
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  return undefined;
}

/** The bytes of a file, unpacked where it is gzipped, whatever its name says. */
export async function* bytesOf(
  path: string,
  { damaged }: Pick<TextOptions, "damaged">,
  cut: (problem: string) => void,
): AsyncGenerator<Buffer> {
  const head = Buffer.alloc(2);
  const file = await open(path, "r");
  await file.read(head, 0, 2, 0).finally(() => file.close());
  const stream = createReadStream(path, { highWaterMark: BLOCK });
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* stream as AsyncIterable<Buffer>;
    return;
  }
  const unpacked = createGunzip({ chunkSize: BLOCK });
  stream.on("error", (error) => unpacked.destroy(error));
  stream.pipe(unpacked);
  try {
    yield* unpacked as AsyncIterable<Buffer>;
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    if (!code?.startsWith("Z_")) throw cause;
    const problem =
      code === "Z_BUF_ERROR" ? "the gzip file is cut short" : `the gzip file is damaged (${message})`;
    if (damaged === "refuse")
      throw new LensorError(`${path}: ${problem}`, {
        fix: 'Fetch it again, or take the whole lines before the damage: data.read(path, { damaged: "keep" }).',
        cause,
      });
    cut(problem);
  } finally {
    stream.destroy();
    unpacked.destroy();
  }
}
