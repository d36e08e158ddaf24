// Numbers and words that figures in tests are made of: always the same, and hostile where a stranger's could be.

export const HOSTILE = `<script>a()</script>"'&\u0007`;

/** For places so narrow that Plotly cuts the other one off. */
export const SHORT = `<x>"'&`;

export const random = (i: number) => Math.abs((Math.sin(i * 12.9898) * 43758.5453) % 1);
export const from = <T>(length: number, make: (i: number) => T): T[] =>
  Array.from({ length }, (_, i) => make(i));
export const floats = (length: number) => Float32Array.from({ length }, (_, i) => random(i));
export const T = 14;
export const tokens = from(T, (i) => [" the", "\n", HOSTILE, " assistant", "猫"][i % 5]!);
export const about = { model: `m ${HOSTILE}`, mode: "exact" };
export const choices = from(2 * T, (i) => ({ token: i >> 1, expert: (i * 3) % 4, gate: random(i) }));
