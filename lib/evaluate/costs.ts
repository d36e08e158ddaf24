// What a model costs that needs no meter: what it holds in memory, and how fast it decodes.

import { type DecodingOptions, decodingOf, inTurns } from "./decoding.ts";
import { medianInterval } from "./intervals.ts";
import { eachModel, type Measure, type Metric } from "./measure.ts";

/** What the weights hold in memory, by the allocator's count; of a cache its keys and values too. */
export function bytes(): Metric & Measure {
  return eachModel(
    { name: "bytes", unit: "B", better: "lower", kind: "cost", options: {} },
    async ({ model, cache }) => {
      const value = model.bytes + (cache?.bytes ?? 0);
      return { value, low: value, high: value };
    },
  );
}

/**
 * Tokens a second of decoding one text in the model's own mode (fast unless it was loaded otherwise), the median of rounds in
 * which all models take turns, with the median's 95 % interval. Times are the machine's and the hour's; compare them within
 * one run.
 */
export function decodeSpeed(options: DecodingOptions = {}): Measure {
  const decoding = decodingOf("decodeSpeed", options);
  return {
    ...{ name: "decodeSpeed", unit: "token/s", better: "higher", kind: "cost", options: { ...decoding } },
    async measure(study) {
      const speeds = study.subjects.map((): number[] => []);
      const clock = () => performance.now() / 1000;
      await inTurns(study, decoding, clock, (place, before, after) => {
        speeds[place]!.push(decoding.tokens / (after - before));
        study.note(place, medianInterval(speeds[place]!));
      });
    },
  };
}
