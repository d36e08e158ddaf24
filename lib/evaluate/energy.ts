// Energy of decoding: what the processor's own counters say (RAPL) where they can be read, else CPU time by stated watts. Says
// which of the two it was. Sees the machine, or this process; never what a screen, a disk or a fan takes.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkNumber } from "../options.ts";
import { type DecodingOptions, decodingOf, inTurns } from "./decoding.ts";
import { medianInterval } from "./intervals.ts";
import type { Measure } from "./measure.ts";

export interface EnergyOptions extends DecodingOptions {
  /** Of one busy core, where the processor's counters cannot be read. */
  watts?: number;
  /** Of the electricity, in g CO2e a kWh: adds the column gCO2e, grams for a million tokens. */
  gridIntensity?: number;
}

/** What a core of a desktop's or a server's processor takes at work, roughly: its rated power over its cores. */
const WATTS = 5;
const POWERCAP = "/sys/class/powercap";
const JOULES_A_KWH = 3.6e6;

/**
 * Joules a token of decoding, the median of rounds in which all models take turns, with the median's 95 % interval. The column
 * energySource says what was read: RAPL counts whole processors, other programs included; CPU time is this process's.
 */
export function energy(options: EnergyOptions = {}): Measure {
  const decoding = decodingOf("energy", options, ["watts", "gridIntensity"]);
  const { watts, gridIntensity } = options;
  if (watts !== undefined) checkNumber("energy", "watts", watts, { least: 0, most: 1000, above: true });
  if (gridIntensity !== undefined)
    checkNumber("energy", "gridIntensity", gridIntensity, { least: 0, most: 1e4 });
  const given = {
    ...decoding,
    ...(watts && { watts }),
    ...(gridIntensity !== undefined && { gridIntensity }),
  };
  return {
    ...{ name: "energy", unit: "J/token", better: "lower", kind: "cost", options: given },
    async measure(study) {
      const joules = study.subjects.map((): number[] => []);
      const meter = await meterOf(POWERCAP, watts);
      await inTurns(study, decoding, meter.read, (place, before, after) => {
        joules[place]!.push(meter.between(before, after) / decoding.tokens);
        const found = medianInterval(joules[place]!);
        const grams = gridIntensity !== undefined && { gCO2e: gramsOf(found.value, gridIntensity) };
        study.note(place, { ...found, more: { energySource: meter.source, ...grams } });
      });
    },
  };
}

/** For a million tokens. */
export function gramsOf(joulesAToken: number, gridIntensity: number): number {
  return ((1e6 * joulesAToken) / JOULES_A_KWH) * gridIntensity;
}

/** Readings of something that only grows: µJ of each counter, or µs of CPU time. */
export interface Meter {
  readonly source: string;
  read(): Promise<number[]>;
  /** In J. */
  between(before: readonly number[], after: readonly number[]): number;
}

/** @param folder Where the kernel shows its counters. */
export async function meterOf(folder: string, watts: number | undefined): Promise<Meter> {
  const counters = await countersIn(folder);
  if (counters.length > 0)
    return {
      source: `RAPL, ${counters.map(({ name }) => name).join(" + ")}`,
      read: () => Promise.all(counters.map(({ path }) => microjoules(path))),
      between: (before, after) =>
        1e-6 *
        counters.reduce((sum, { range }, i) => {
          const grown = after[i]! - before[i]!;
          return sum + (grown < 0 ? grown + range : grown);
        }, 0),
    };
  return {
    source: `CPU time × ${watts ?? WATTS} W a core${watts === undefined ? " (assumed)" : ""}`,
    async read() {
      const { user, system } = process.cpuUsage();
      return [user + system];
    },
    between: (before, after) => 1e-6 * (watts ?? WATTS) * (after[0]! - before[0]!),
  };
}

/**
 * The counters of whole processors and of their memory: /sys/class/powercap/intel-rapl:0, and :0:0 to :0:3 within it, of which
 * "core" and "uncore" are in the whole already (Documentation/power/powercap). Empty where one of them is the root's alone.
 */
async function countersIn(folder: string): Promise<{ name: string; path: string; range: number }[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) =>
    /^intel-rapl:\d+(:\d+)?$/.test(name),
  );
  const found: { name: string; path: string; range: number }[] = [];
  for (const name of names.sort()) {
    const text = (file: string) => readFile(join(folder, name, file), "utf8");
    try {
      const label = (await text("name")).trim();
      if (!/^(package-\d+|dram)$/.test(label)) continue;
      const path = join(folder, name, "energy_uj");
      await microjoules(path);
      found.push({ name: label, path, range: Number(await text("max_energy_range_uj")) });
    } catch {
      return [];
    }
  }
  return found;
}

async function microjoules(path: string): Promise<number> {
  return Number(await readFile(path, "utf8"));
}
