/** Our side of every comparison: see side.ts for what it answers. Through the library's public interface, as a cell would call it. */
import { createInterface } from "node:readline";
import { native } from "../../../lib/native.ts";
import type { Probe } from "../figure.ts";
import type { Job, Turn } from "../side.ts";
import { dpo, replies } from "./align.ts";
import { ggufDecode } from "./compress-gguf.ts";
import { pipeline, tokenization } from "./data.ts";
import { dedup } from "./dedup.ts";
import { experts } from "./experts.ts";
import { decode, manyTokens, prefill } from "./generate.ts";
import { interrupt } from "./interrupt.ts";
import { kvDecode, kvGrowth, kvPrefill, kvWhole, matching } from "./kv.ts";
import { merging } from "./merge.ts";
import { attention, attentionMemory, gemm } from "./products.ts";
import { thinDecode } from "./prune.ts";
import { qualityOfCaches, qualityOfLayers } from "./quality.ts";
import { quantizing } from "./quantizing.ts";
import { look } from "./trace.ts";
import { smallSteps, train, tuning } from "./train.ts";

/** Does some of a job. */
export type Run = () => Promise<Omit<Turn, "peakBytes">>;

const JOBS = {
  ...{ gemm, attention, decode, prefill, look, train, tuning, dpo, replies, dedup, tokenization, pipeline },
  ...{ experts, ggufDecode, merging, quantizing },
  ...{ attentionMemory, smallSteps, manyTokens, interrupt },
  ...{ kvPrefill, kvWhole, kvDecode, kvGrowth, matching, qualityOfLayers, qualityOfCaches },
  ...{ thinDecode },
} as Record<string, (args: never) => Promise<Run>>;

let run: Run | undefined;

async function answer(request: Partial<Job> & { probe?: Probe; milliseconds?: number }): Promise<object> {
  if (request.probe) return { rate: await native().probe(request.probe, request.milliseconds!) };
  if (request.prepare) {
    run = undefined;
    run = await JOBS[request.prepare]!(request.args as never);
    return {};
  }
  const turn = await run!();
  return { ...turn, peakBytes: process.resourceUsage().maxRSS * 1024 };
}

const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
// Whoever asks may be gone before the work is done.
process.stdin.once("close", () => process.exit(0));
say({ ready: "lensor" });
for await (const line of createInterface(process.stdin))
  say(await answer(JSON.parse(line)).catch((error: Error) => ({ error: error.message })));
