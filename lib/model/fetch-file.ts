// One file over HTTP into a file on disk: resumed where it stopped before, checked against its hash, whole or not there. Knows
// nothing of models. What was fetched before an end that nobody wanted stays beside it, for the next time.

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { LensorError } from "../errors.ts";

export interface RemoteFile {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In bytes. */
  readonly size: number;
  /** SHA-256 of the content (64 digits), or git's id of it (40 digits). */
  readonly hash: string;
  /** For messages. */
  readonly name: string;
}

export interface FetchOptions {
  signal?: AbortSignal | undefined;
  /** Bytes that are on disk now. */
  onBytes?: (done: number) => void;
}

/** In a row, without a byte. */
const TRIES = 5;
const FIRST_WAIT_MS = 250;
/** Without a byte for so long, the connection counts as lost. */
const PATIENCE_MS = 60_000;

/**
 * Fetches a file to `target`, over `${target}.incomplete`.
 * @throws LensorError where it cannot be had, or is not what its hash says; what came so far stays for the next time, unless
 *   it is wrong
 */
export async function fetchFile(file: RemoteFile, target: string, options: FetchOptions = {}): Promise<void> {
  const part = `${target}.incomplete`;
  let before = 0;
  for (let tried = 1; ; tried++) {
    try {
      await fetchRest(file, part, options);
      break;
    } catch (error) {
      if (options.signal?.aborted)
        throw new LensorError(`The download of ${file.name} was interrupted`, {
          fix: "The next one goes on where it stopped.",
          cause: error,
        });
      if (error instanceof LensorError) throw error;
      // A connection that is cut now and then ends nothing as long as each brings something.
      const now = await sizeOf(part);
      if (now > before) tried = 1;
      before = now;
      if (tried === TRIES)
        throw new LensorError(`${file.name} could not be downloaded: ${reasonOf(error)}`, {
          expected: `${file.size} bytes`,
          got: `${now}, and no more in ${TRIES} tries`,
          fix: "Check the network and try again: it goes on where it stopped.",
          cause: error,
        });
      await wait(FIRST_WAIT_MS * 2 ** (tried - 1));
    }
  }
  const got = await hashOf(part, file);
  if (got !== file.hash) {
    await rm(part, { force: true });
    throw new LensorError(`${file.name} is not what its server said it is; it was deleted`, {
      expected: `${file.hash.length === 64 ? "sha256" : "git's hash"} ${file.hash}`,
      got,
      fix: "The download was damaged on the way, or the server serves another file: try again.",
    });
  }
  await rename(part, target);
}

/** What is missing at the end of `part`. Throws anything but a LensorError where another try may do. */
async function fetchRest(file: RemoteFile, part: string, { signal, onBytes }: FetchOptions): Promise<void> {
  let at = await sizeOf(part);
  if (at > file.size) {
    await rm(part);
    at = 0;
  }
  if (at === file.size && at > 0) return;
  const patience = new AbortController();
  const stop = signal ? AbortSignal.any([signal, patience.signal]) : patience.signal;
  let timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    const range: Record<string, string> = at > 0 ? { range: `bytes=${at}-` } : {};
    const response = await fetch(file.url, {
      headers: { ...file.headers, "accept-encoding": "identity", ...range },
      signal: stop,
    });
    const resumed =
      response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${at}-`);
    if (!resumed && response.status !== 200) {
      await response.body?.cancel();
      // Busy servers may have time later; what is refused stays refused.
      if (response.status >= 500 || [408, 429].includes(response.status))
        throw new Error(`the server answered ${response.status}`);
      throw refusal(file.name, response.status);
    }
    const out = await open(part, resumed ? "a" : "w");
    if (!resumed) at = 0;
    try {
      for await (const chunk of response.body ?? []) {
        clearTimeout(timer);
        timer = setTimeout(() => patience.abort(), PATIENCE_MS);
        at += chunk.length;
        if (at > file.size)
          throw new LensorError(`${file.name} is longer than its server said`, {
            expected: `${file.size} bytes`,
          });
        await writeAll(out, chunk);
        onBytes?.(at);
      }
    } finally {
      await out.close();
    }
  } finally {
    clearTimeout(timer);
  }
  if (at < file.size) throw new Error(`the connection ended after ${at} of ${file.size} bytes`);
}

/** What an answer other than the file means. */
export function refusal(name: string, status: number): LensorError {
  if (status === 401 || status === 403)
    return new LensorError(`${name} is not for everybody: the server answered ${status}`, {
      expected: "a model that anyone may read, or a token that may read it in HF_TOKEN",
      fix: "Ask for access on the model's page where it is gated, then set HF_TOKEN. A name with a slip answers like this too.",
    });
  if (status === 404)
    return new LensorError(`${name} does not exist: the server answered 404`, {
      fix: "Check the name: owner/repository, as on the model's page.",
    });
  return new LensorError(`${name} could not be downloaded: the server answered ${status}`, {
    fix: "Try again later, or check HF_ENDPOINT where it is set.",
  });
}

async function hashOf(path: string, { size, hash: wanted }: RemoteFile): Promise<string> {
  const hash: Hash = createHash(wanted.length === 64 ? "sha256" : "sha1");
  // Git's id of a file is that of a header and its bytes.
  if (wanted.length === 40) hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
}

const sizeOf = (path: string) =>
  stat(path).then(
    (info) => info.size,
    () => 0,
  );

/** fetch hides why it failed one level down. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const deeper = cause as (Error & { code?: string }) | undefined;
  return deeper?.code ?? deeper?.message ?? message;
}
