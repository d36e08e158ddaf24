// Generalized advantage estimation (Schulman et al. 2016, arXiv 1506.02438) over packed replies, and whitening. Pure numbers.

/**
 * A_t = delta_t + gamma lambda A_(t+1),  delta_t = r_t + gamma V_(t+1) - V_t, within each reply; V after its last token is 0.
 * @param rewards Of each token, `[tokens]`
 * @param values Expected before each token, `[tokens]`
 */
export function generalizedAdvantages(
  rewards: Float32Array,
  values: Float32Array,
  lengths: readonly number[],
  { gamma, lambda }: { gamma: number; lambda: number },
): { advantages: Float32Array; returns: Float32Array } {
  const advantages = new Float32Array(rewards.length);
  let end = 0;
  for (const length of lengths) {
    end += length;
    let [later, next] = [0, 0];
    for (let t = end - 1; t >= end - length; t--) {
      later = rewards[t]! + gamma * next - values[t]! + gamma * lambda * later;
      next = values[t]!;
      advantages[t] = later;
    }
  }
  return { advantages, returns: advantages.map((advantage, t) => advantage + values[t]!) };
}

/** To mean 0 and deviation 1 over all tokens; zeros where all are equal. */
export function whitened(values: Float32Array): Float32Array {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / Math.max(1, n);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, n - 1);
  return values.map((value) => (value - mean) / Math.sqrt(variance + 1e-8));
}
