/**
 * How fast one thread reads memory just now: the bound that decoding works against, for reading the figures beside it.
 * Searching ones for a zero is libc's memchr, which runs at the speed of memory. Ones, since a block of zeros that nobody
 * wrote to is one page of the system's, read again and again.
 */
const BYTES = 256 * 1024 * 1024;
let block: Buffer | undefined;

/** @returns GB/s, the best of three passes over 256 MiB. */
export function readBandwidth(): number {
  block ??= Buffer.alloc(BYTES, 1);
  let best = 0;
  for (let pass = 0; pass < 3; pass++) {
    const start = performance.now();
    if (block.indexOf(0) !== -1) throw new Error("The block of ones holds a zero");
    best = Math.max(best, BYTES / (performance.now() - start) / 1e6);
  }
  return best;
}
