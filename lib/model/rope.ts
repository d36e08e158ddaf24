// Rotary position embedding past the trained length: the one place that computes frequencies, scaled or not; native code and
// the differentiable network receive them. Names and formulas as transformers' rope_parameters have them, whose rounding to
// f32 is followed too. Never touches a model: it maps its numbers and a scaling to a Rope.

import { frequenciesOf } from "../tensor/nn/rope.ts";
import type { ModelConfig } from "./config.ts";
import type { RopeScaling } from "./rope-scaling.ts";

/** What a cache's queries and keys are turned by, from its first token to its last. */
export interface Rope {
  readonly scaling: RopeScaling | undefined;
  /** Radians a token for each pair of a head, `[headWidth / 2]`. */
  readonly frequencies: Float32Array;
  /** On cosines and sines, so squared on the scores. */
  readonly attentionFactor: number;
  /** In tokens: how much is read at most. */
  readonly context: number;
}

type Numbers = Pick<ModelConfig, "headWidth" | "ropeTheta" | "context" | "ropeScaling">;

/** In tokens: how much a model reads with a scaling that it was not loaded with. */
export function contextWith(config: Numbers, scaling: RopeScaling): number {
  const reach = Math.floor(trainedLength(config, scaling) * (scaling.factor ?? 1));
  return Math.max(config.context, reach);
}

/** In tokens: how far the unscaled frequencies were trained. */
function trainedLength({ context, ropeScaling }: Numbers, scaling: RopeScaling): number {
  return scaling.originalMaxPositionEmbeddings ?? ropeScaling?.originalMaxPositionEmbeddings ?? context;
}

/**
 * The turns of a model under a scaling.
 *   linear   f / s  (Chen et al. 2023)
 *   dynamic  of theta (s n / L - (s - 1))^(d / (d - 2)) for a text of n > L tokens  (NTK-aware)
 *   yarn     f / s where a pair turns fewer than betaSlow times in L tokens, f where more than betaFast times, a ramp over the
 *            pairs between; cosines and sines times 0.1 ln s + 1  (Peng et al. 2023)
 *   llama3   f / s where the wavelength is above L / lowFreqFactor, f below L / highFreqFactor, between them both mixed
 *   factors  f / factors[i]
 * with f = theta^(-2i/d), s the factor, L the trained length.
 * @param length In tokens: of the text that a dynamic scaling is settled for
 */
export function ropeOf(
  config: Numbers,
  context: number,
  length: number,
  scaling: RopeScaling | undefined = config.ropeScaling,
): Rope {
  const base = (theta: number) => frequenciesOf(config.headWidth, theta);
  const theta = scaling?.ropeTheta ?? config.ropeTheta;
  const plain = { scaling, frequencies: base(theta), attentionFactor: 1, context };
  if (!scaling) return plain;
  const { ropeType, factor = 1 } = scaling;
  const trained = trainedLength(config, scaling);
  switch (ropeType) {
    case "default":
      return plain;
    case "linear":
      return { ...plain, frequencies: plain.frequencies.map((f) => f / factor) };
    case "dynamic": {
      const d = config.headWidth;
      const stretch = (factor * Math.max(length, trained)) / trained - (factor - 1);
      // A head of one pair never turns slower than its first, whatever theta is.
      return d === 2 ? plain : { ...plain, frequencies: base(theta * stretch ** (d / (d - 2))) };
    }
    case "yarn":
      return {
        ...plain,
        frequencies: yarn(plain.frequencies, theta, trained, scaling),
        attentionFactor: yarnFactor(scaling),
      };
    case "llama3":
      return { ...plain, frequencies: llama3(plain.frequencies, trained, scaling) };
    case "factors":
      return { ...plain, frequencies: plain.frequencies.map((f, i) => f / scaling.factors![i]!) };
  }
}

function yarn(
  frequencies: Float32Array,
  theta: number,
  trained: number,
  { factor = 1, betaFast = 32, betaSlow = 1, truncate = true }: RopeScaling,
): Float32Array {
  const d = 2 * frequencies.length;
  // The pair that turns so often in the trained length.
  const pairAt = (turns: number) => (d * Math.log(trained / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const round = truncate ? { low: Math.floor, high: Math.ceil } : { low: Number, high: Number };
  const low = Math.max(round.low(pairAt(betaFast)), 0);
  const high = Math.min(round.high(pairAt(betaSlow)), d - 1);
  const width = low === high ? 0.001 : high - low;
  return frequencies.map((f, i) => {
    const kept = Math.fround(1 - Math.fround(Math.min(1, Math.max(0, (i - low) / width))));
    return (f / factor) * (1 - kept) + f * kept;
  });
}

function yarnFactor({ factor = 1, attentionFactor, mscale, mscaleAllDim }: RopeScaling): number {
  const grown = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  if (attentionFactor !== undefined) return attentionFactor;
  return mscale && mscaleAllDim ? grown(mscale) / grown(mscaleAllDim) : grown(1);
}

function llama3(
  frequencies: Float32Array,
  trained: number,
  { factor = 1, lowFreqFactor = 1, highFreqFactor = 4 }: RopeScaling,
): Float32Array {
  return frequencies.map((f) => {
    const wavelength = (2 * Math.PI) / f;
    if (wavelength > trained / lowFreqFactor) return f / factor;
    if (wavelength < trained / highFreqFactor) return f;
    const kept = (trained / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return ((1 - kept) * f) / factor + kept * f;
  });
}
