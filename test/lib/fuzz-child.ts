// Calls every function of the addon with whatever comes: wrong types, freed handles, absurd shapes, views that reach outside
// their buffers, many at once. Only errors may come of it. Prints what it did; that it ends at all is the test.

import { native } from "../../lib/native.ts";
import { philox } from "../../lib/tensor/random.ts";

const [seconds, seed] = [Number(process.argv[2]), Number(process.argv[3])];
const addon = native() as unknown as Record<string, (...args: unknown[]) => unknown>;
const words = new Uint32Array(4);
let drawn = 0;
function below(n: number): number {
  philox(drawn++, seed, words);
  return words[0]! % n;
}
const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;

addon.memoryLimit!(1e9);
const buffers: unknown[] = Array.from({ length: 6 }, (_, i) => addon.upload!(new Float32Array(2 ** i)));
buffers.push(addon.upload!(new BigInt64Array(8)), addon.upload!(new Uint8Array(0)));
const places: unknown[] = [addon.leaf!(Float64Array.of(0, 1, 4)), addon.leaf!(Float64Array.of(2, 2, 2, 2))];
const freed = addon.upload!(new Float32Array(4));
addon.release!(freed);
const gone = addon.leaf!(Float64Array.of(0, 0));
addon.releasePlace!(gone);

const sizes = [0, 1, 2, 3, 4, 7, 16, 64];
const odd = [-1, 0.5, 2 ** 31, 2 ** 48, 2 ** 53, 2 ** 60, Number.NaN, Number.POSITIVE_INFINITY, -0];
const size = () => (below(12) === 0 ? pick(odd) : pick(sizes));
const numbers = (n: number) => Float64Array.from({ length: n }, () => (below(4) ? below(5) : pick(odd)));

/** dtype, rank, shape... of some results. */
function shapes(): Float64Array {
  const all: number[] = [];
  for (let i = below(4); i >= 0; i--) {
    const rank = below(10) === 0 ? below(12) : below(4);
    all.push(below(9) ? below(8) : below(40), rank, ...Array.from({ length: rank }, size));
  }
  return Float64Array.from(below(15) ? all : all.slice(1));
}

/** Views on that many buffers, most of them inside. */
function views(count: number): Float64Array {
  const all: number[] = [];
  for (let i = 0; i < count; i++) {
    const rank = below(4);
    const shape = Array.from({ length: rank }, () => (below(10) ? pick([0, 1, 2, 3, 4]) : size()));
    const strides = Array.from({ length: rank }, () =>
      below(10) ? pick([0, 1, 2, 4]) : pick([-1, 2 ** 40, ...odd]),
    );
    all.push(
      below(8) ? pick([0, 0, 0, 2, 6, 7]) : below(20),
      below(6) ? 0 : size(),
      rank,
      ...shape,
      ...strides,
    );
  }
  return Float64Array.from(below(20) ? all : all.slice(0, -1));
}

const nonsense = [
  undefined,
  null,
  0,
  -1,
  1e300,
  "x",
  "",
  {},
  [],
  () => 1,
  Symbol("s"),
  10n,
  true,
  new Float32Array(3),
  new Proxy({}, {}),
];
const buffer = () => (below(20) === 0 ? freed : pick(buffers));
const place = () => (below(20) === 0 ? gone : pick(places));
const makers: Record<string, () => unknown[]> = {
  upload: () => [new Float32Array(below(100))],
  op: () => {
    const count = below(5);
    return [
      below((addon.operations as unknown as string[]).length + 1),
      numbers(below(12)),
      shapes(),
      Array.from({ length: count }, buffer),
      views(count),
      below(2) ? undefined : Array.from({ length: count }, () => (below(2) ? undefined : place())),
      undefined,
    ];
  },
  leaf: () => [shapes()],
  recordView: () => [below(40), numbers(below(9)), shapes(), place()],
  backward: () => [place(), buffer(), views(1), below(2) === 0],
  gradient: () => [place()],
  setGradient: () => [place(), below(2) ? undefined : buffer(), views(1)],
  assign: () => [[buffer(), buffer()], views(2)],
  read: () => [buffer(), views(1)],
  optimizerState: () => [below(5), below(3000), below(2) === 0],
  optimizerStep: () => [
    below(5),
    numbers(9),
    buffer(),
    views(1),
    place(),
    Array.from({ length: below(5) }, buffer),
    below(2) ? undefined : buffer(),
  ],
  gradientNorm: () => [Array.from({ length: below(3) }, place), below(3)],
  attentionMap: () => [buffer(), views(1), buffer(), views(1), below(2) === 0],
  versions: () => [Array.from({ length: below(3) }, buffer)],
  name: () => [buffer(), "x"],
  number: () => [buffer()],
  drain: () => [],
  memory: () => [],
  info: () => [],
  progress: () => [],
};
const names = Object.keys(addon).filter(
  // memoryLimit would give it all that the machine has.
  (name) => typeof addon[name] === "function" && name !== "setInterruptFlag" && name !== "memoryLimit",
);

function closes(): boolean {
  try {
    addon.closeCheckpoint!();
    return true;
  } catch {
    return false;
  }
}

let [calls, errors, results] = [0, 0, 0];
const waiting = new Set<Promise<unknown>>();
const until = performance.now() + seconds * 1000;
while (performance.now() < until) {
  for (let i = 0; i < 200; i++) {
    const name = pick(names);
    let args = below(6) ? (makers[name]?.() ?? []) : [];
    // Any argument may be anything.
    if (below(4) === 0) args = args.map((one) => (below(3) ? one : pick(nonsense)));
    if (below(10) === 0) args = args.slice(0, below(args.length + 1));
    if (below(30) === 0) args = Array.from({ length: below(12) }, () => pick(nonsense));
    calls++;
    try {
      const result = addon[name]!(...args);
      results++;
      if (result instanceof Promise) {
        const told = result.catch(() => errors++).finally(() => waiting.delete(told));
        waiting.add(told);
      }
      // Results are arguments of later calls.
      const made = Array.isArray(result) ? result : [result];
      for (const one of made)
        if (name === "op" || name === "gradientNorm" || name === "optimizerState") {
          const isPlace =
            name === "op" && typeof (one as { bytes?: number }).bytes !== "number" && made.length > 1;
          (isPlace ? places : buffers)[below(24)] = one;
        } else if (name === "leaf" || name === "recordView") places[below(24)] = one;
    } catch (error) {
      errors++;
      if (!(error instanceof Error)) throw new Error(`thrown: ${String(error)}`);
    }
    for (const list of [buffers, places]) for (let k = 0; k < 24 && k < list.length; k++) list[k] ??= list[0];
  }
  // What is open keeps what was made.
  while (closes()) calls++;
  // A few reads may be of gigabytes: they must not pile up.
  if (waiting.size > 100) await Promise.all(waiting);
  await new Promise(setImmediate);
}
await Promise.all(waiting);
await addon.drain!();
console.log(`fuzzed ${calls} calls: ${results} results, ${errors} errors`);
