// The instruction sets of this machine that LENSOR_CPU can name, the poorest first.

import { readFileSync } from "node:fs";

export function instructionSets(): string[] {
  if (process.arch !== "x64" || process.platform !== "linux") return ["scalar"];
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" "));
  const sets = ["scalar"];
  if (flags.has("avx2") && flags.has("fma")) sets.push("avx2");
  if (flags.has("avx512bw") && flags.has("avx512vl")) {
    sets.push("avx512");
    if (flags.has("avx512_bf16")) sets.push("avx512bf16");
  }
  return sets;
}
