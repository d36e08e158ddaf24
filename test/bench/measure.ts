/**
 * Ours, the machine's limits and the peers in turns, many rounds in one run: a shared machine's speed drifts, and what is
 * measured side by side drifts together. Ratios can be quoted; speeds belong to the machine and the hour.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Contest, Figure, Probe, Speeds } from "./figure.ts";
import { median } from "./figure.ts";
import { Side, type Turn } from "./side.ts";

/** Between turns: what spins for a while after its work has stopped by then. */
const PAUSE_MS = 15;
const PROBE_MS = { least: 10, most: 300 };

const PEERS: Readonly<Record<string, string>> = {
  products: "PyTorch",
  llama: "llama.cpp",
  training: "PyTorch with transformers",
  tokens: "the Rust tokenizers",
  dedup_datatrove: "datatrove",
  dedup_rensa: "rensa",
  merging: "mergekit",
  quantizing: "GPTQModel",
  matching: "Attention Matching's reference",
};

/** The processes of one suite: ours, and each peer's that is installed. */
export class Sides {
  readonly threads: number;
  readonly missing = new Set<string>();
  readonly #running = new Map<string, Side | undefined>();

  constructor(threads: number) {
    this.threads = threads;
  }

  async ours(): Promise<Side> {
    return (await this.#get("ours", () => Side.ours(this.threads)))!;
  }

  /** Ours too, but on its own: what a probe reads is no part of another's memory. */
  async prober(): Promise<Side> {
    return (await this.#get("prober", () => Side.ours(this.threads)))!;
  }

  /** One for each script and label. Undefined where it is not installed. */
  peer(script: string, label: string): Promise<Side | undefined> {
    return this.#get(`${script} ${label}`, async () => {
      const side = await Side.peer(script, this.threads);
      if (typeof side !== "string") return side;
      this.missing.add(`${PEERS[script]} (${side} is missing)`);
      return undefined;
    });
  }

  close(): void {
    for (const side of this.#running.values()) side?.close();
    this.#running.clear();
  }

  async #get(key: string, start: () => Promise<Side | undefined>): Promise<Side | undefined> {
    if (!this.#running.has(key)) this.#running.set(key, await start());
    return this.#running.get(key);
  }
}

export async function measure(
  suite: string,
  contest: Contest,
  sides: Sides,
  rounds: number,
): Promise<Figure> {
  const ours = await sides.ours();
  await ours.prepare(contest.ours);
  const peers: { label: string; side: Side }[] = [];
  for (const { label, script, job } of contest.peers) {
    const side = await sides.peer(script, label);
    if (!side) continue;
    await side.prepare(job);
    peers.push({ label, side });
  }
  const prober = await sides.prober();
  const players = [ours, ...peers.map(({ side }) => side)];
  const first = await ours.run();
  for (const { side } of peers) await side.run();
  // About as long as a turn: on a busy machine a short look meets other company than a long one.
  const probeMs = Math.min(PROBE_MS.most, Math.max(PROBE_MS.least, 1000 * first.seconds));
  const turns = players.map((): Turn[] => []);
  const compute = contest.bound && contest.bound.probe !== "read" ? contest.bound.probe : "f32";
  const probed = new Map<Probe, number[]>([
    [compute, []],
    ["read", []],
  ]);
  for (let round = 0; round < rounds; round++) {
    // Whoever follows whom meets the same caches and clock as often in front as behind.
    const order = players.map((_, i) => i);
    for (const i of round % 2 ? order.reverse() : order) {
      await sleep(PAUSE_MS);
      turns[i]!.push(await players[i]!.run());
    }
    for (const [kind, rates] of probed) {
      await sleep(PAUSE_MS);
      rates.push(await prober.probe(kind, probeMs));
    }
  }
  const speeds = turns.map((list, i): Speeds => {
    const samples = list.map(({ seconds, count }) => (count * contest.work) / seconds);
    const peakBytes = Math.max(...list.map((turn) => turn.peakBytes));
    const speeds = { name: players[i]!.name, median: median(samples), samples };
    return contest.memory ? { ...speeds, peakBytes } : speeds;
  });
  const mine = speeds[0]!;
  const probes = Object.fromEntries([...probed].map(([kind, rates]) => [kind, median(rates)]));
  const { bound } = contest;
  const figure: Figure = {
    ...{ suite, name: contest.name, threads: sides.threads, unit: contest.unit, ours: mine, probes },
    ...(bound && { share: (mine.median * bound.each) / probes[bound.probe]! }),
    peers: speeds.slice(1).map((one, i) => ({
      ...one,
      label: peers[i]!.label,
      ratio: mine.median / one.median,
      ...(contest.memory && { memory: mine.peakBytes! / one.peakBytes! }),
      agreed: agreement(turns[0]![0]!.made, turns[i + 1]![0]!.made),
    })),
    missed: [],
  };
  figure.missed = missedBy(figure, contest);
  return figure;
}

/** How many of the first tokens are the same. */
function agreement(ours: readonly number[] | undefined, theirs: readonly number[] | undefined) {
  if (!ours || !theirs) return undefined;
  const at = ours.findIndex((token, i) => token !== theirs[i]);
  return at < 0 ? ours.length : at;
}

function missedBy({ peers, share }: Figure, { targets = {} }: Contest): string[] {
  const missed: string[] = [];
  for (const { label, ratio, memory } of peers) {
    const least = targets.ratio?.[label] ?? targets.ratio?.[""];
    const beside = label ? ` of ${label}` : "";
    if (least !== undefined && ratio < least)
      missed.push(`${ratio.toFixed(2)}x the speed${beside}, wanted ${least}x`);
    if (targets.memory !== undefined && memory !== undefined && memory > targets.memory)
      missed.push(`${memory.toFixed(2)}x the memory${beside}, wanted ${targets.memory}x at most`);
  }
  if (targets.share !== undefined && share !== undefined && share < targets.share)
    missed.push(`${percent(share)} of the probe, wanted ${percent(targets.share)}`);
  return missed;
}

export const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
