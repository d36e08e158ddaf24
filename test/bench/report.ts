/** Figures as lines for a reader. */
import type { Figure, Reading } from "./figure.ts";
import { percent } from "./measure.ts";

export function figureLines(figure: Figure): string[] {
  const { name, unit, ours, peers, share } = figure;
  const speed = (value: number) => `${value.toFixed(1).padStart(8)} ${unit}`;
  const memory = (bytes?: number) =>
    bytes === undefined ? "" : `   peak memory ${(bytes / 1e6).toFixed(0)} MB`;
  const bound = share === undefined ? "" : `   ${percent(share)} of the probe`;
  return [
    name,
    `  ${"lensor".padEnd(34)} ${speed(ours.median)}${memory(ours.peakBytes)}${bound}`,
    ...peers.map(({ name, label, median, ratio, peakBytes, agreed }) => {
      const who = `${name} ${label}`.trim().padEnd(34);
      const same = agreed === undefined ? "" : `   first ${agreed} tokens the same`;
      return `  ${who} ${speed(median)}${memory(peakBytes)}   ours is ${ratio.toFixed(2)}x${same}`;
    }),
    `  ${"probes".padEnd(34)} ${probes(figure)}`,
    ...missed(figure),
  ];
}

export function readingLines(reading: Reading): string[] {
  const { name, value, unit, most, least } = reading;
  const bound = most !== undefined ? `, at most ${most}` : least !== undefined ? `, at least ${least}` : "";
  return [`${name}: ${value.toFixed(3)} ${unit}${bound}`, ...missed(reading)];
}

function probes({ probes }: Figure): string {
  return Object.entries(probes)
    .map(([kind, rate]) => {
      const giga = (rate / 1e9).toFixed(1).padStart(8);
      return kind === "read"
        ? `memory read ${giga.trim()} GB/s`
        : `${giga} GFLOP/s of multiply-adds in ${kind}`;
    })
    .join(", ");
}

const missed = ({ missed }: { missed: string[] }) => missed.map((text) => `  missed: ${text}`);
