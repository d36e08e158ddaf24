// The Mersenne Twister (Matsumoto and Nishimura 1998, MT19937), whose numbers PyTorch and NumPy draw on a CPU: a random merge
// can be held against theirs, number by number.

const N = 624;
const M = 397;

/** Uniform in [0, 1), in steps of 2^-24, as torch draws f32. @param seed Its lower 32 bits count */
export function twister(seed: number): () => number {
  const state = new Uint32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) {
    const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(before, 1812433253) + i;
  }
  let at = N;
  return () => {
    if (at === N) {
      for (let i = 0; i < N; i++) {
        const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
        state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return (y & 0xffffff) * 2 ** -24;
  };
}
