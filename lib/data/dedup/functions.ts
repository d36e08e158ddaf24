// The hash functions of MinHash, drawn as datatrove draws them: NumPy's RandomState, which is the Mersenne Twister of
// Matsumoto and Nishimura with whole numbers by rejection. So equal parameters give equal signatures. Pure.

const WORDS = 624;

/** 32 bits at a time, from `init_genrand(seed)`. @see Matsumoto & Nishimura 1998, "Mersenne Twister" */
function twister(seed: number): () => number {
  const state = new Uint32Array(WORDS);
  state[0] = seed;
  for (let i = 1; i < WORDS; i++) {
    const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(1812433253, before) + i;
  }
  let at = WORDS;
  return () => {
    if (at === WORDS) {
      for (let i = 0; i < WORDS; i++) {
        const mixed = (state[i]! & 0x80000000) | (state[(i + 1) % WORDS]! & 0x7fffffff);
        state[i] = state[(i + 397) % WORDS]! ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let word = state[at++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  };
}

const P = (1n << 61n) - 1n;

/** a and then b of that many functions h(x) = (a x + b) mod (2^61 - 1): 1 <= a < p, 0 <= b < p. */
export function hashFunctions(count: number, seed: number): BigUint64Array {
  const word = twister(seed);
  const below = (least: bigint) => {
    // The mask is that of the largest difference, p - 1 - least: 61 bits.
    for (;;) {
      const high = BigInt(word());
      const drawn = ((high << 32n) | BigInt(word())) & P;
      if (drawn <= P - 1n - least) return drawn + least;
    }
  };
  const all = new BigUint64Array(2 * count);
  for (let i = 0; i < count; i++) all[i] = below(1n);
  for (let i = 0; i < count; i++) all[count + i] = below(0n);
  return all;
}
