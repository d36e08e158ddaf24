/**
 * How fast one thread reads memory just now: the bound that decoding works against, for reading the figures beside it.
 * Searching zeros for a one is libc's memchr, which runs at the speed of memory.
 */
const BYTES = 256 * 1024 * 1024;
let block: Buffer | undefined;

/** @returns GB/s, the best of three passes over 256 MiB. */
export function readBandwidth(): number {
  block ??= Buffer.alloc(BYTES, 0);
  let best = 0;
  for (let pass = 0; pass < 3; pass++) {
    const start = performance.now();
    if (block.indexOf(1) !== -1) throw new Error("The block of zeros holds a one");
    best = Math.max(best, BYTES / (performance.now() - start) / 1e6);
  }
  return best;
}
