// A cache as a file: a magic word, a header in JSON, then each layer's pages as native code stores them. What is read comes
// from strangers: sizes, counts and ids are checked here, and pages again in native code.

import { open, stat } from "node:fs/promises";
import { LensorError } from "../errors.ts";
import { fingerprintOf } from "../model/fingerprint.ts";
import type { Model } from "../model/model.ts";
import { native } from "../native.ts";
import { describe } from "../options.ts";
import type { Provenance } from "../provenance.ts";
import { Tensor } from "../tensor/index.ts";
import { writeWhole } from "../whole-file.ts";
import { Cache, type Kept, KV_TYPES } from "./cache.ts";
import { CompactionReport, type ReportFacts } from "./report.ts";
import { disposeLayer, layerOf } from "./source.ts";

const MAGIC = "lensorKV";
const VERSION = 1;
const MOST_HEADER = 64 << 20;

interface Header {
  version: number;
  model: string;
  fingerprint: string;
  compute: "exact" | "fast";
  kv: (typeof KV_TYPES)[number];
  rope: { frequencies: number[]; attentionFactor: number; context: number; scaling?: unknown };
  ids: number[];
  kept?: {
    length: number;
    moved: number;
    method: string;
    /** How many of each head's pages a query reads. */
    reads?: number | undefined;
    positions: number[][][];
    /** `[layers][kvHeads]`, each empty or one for each kept key. */
    bias?: number[][][];
    report: ReportFacts;
    provenance: Provenance;
  };
  /** In bytes: each layer's pages. */
  layers: number[];
}

/** A file is whole, or not there. */
export async function saveCache(cache: Cache, path: string): Promise<void> {
  const { model, kept } = cache;
  const { layers } = model.config;
  await writeWhole(path, async (put) => {
    const stored: ArrayBuffer[] = [];
    for (let layer = 0; layer < layers; layer++)
      stored.push(await native().storeCache(cache.native(), layer));
    const header: Header = {
      ...{ version: VERSION, model: model.name, fingerprint: await fingerprintOf(model) },
      ...{ compute: cache.compute, kv: cache.kv, ids: [...cache.ids] },
      rope: { ...cache.rope, frequencies: [...cache.rope.frequencies] },
      ...(kept && { kept: await keptFacts(cache, kept) }),
      layers: stored.map((one) => one.byteLength),
    };
    const text = Buffer.from(JSON.stringify(header));
    const start = Buffer.alloc(16);
    start.write(MAGIC, "latin1");
    start.writeBigUInt64LE(BigInt(text.length), 8);
    for (const part of [start, text, ...stored.map((one) => Buffer.from(one))]) await put(part);
  });
}

async function keptFacts(cache: Cache, kept: Kept): Promise<NonNullable<Header["kept"]>> {
  const bias: number[][][] = [];
  for (let layer = 0; kept.biased && layer < cache.model.config.layers; layer++) {
    const own = layerOf(cache, layer);
    const rows = (await own.bias!.array()) as number[][];
    bias.push(rows.map((row, head) => row.slice(0, kept.positions[layer]![head]!.length)));
    disposeLayer(own);
  }
  return {
    ...{ length: kept.length, moved: kept.moved, method: kept.method, provenance: kept.provenance },
    reads: kept.reads,
    report: cache.report().toJSON(),
    positions: kept.positions.map((heads) => heads.map((own) => [...own])),
    ...(kept.biased && { bias }),
  };
}

/** @throws LensorError for a file that is damaged, of another model, or of a newer version */
export async function loadCache(model: Model, path: string): Promise<Cache> {
  const { size } = await stat(path).catch(() => {
    throw new LensorError(`There is no cache at ${path}`, { expected: "a file that cache.save(file) wrote" });
  });
  const file = await open(path, "r");
  try {
    const header = await readHeader(file, path, size);
    checkHeader(header, model, await fingerprintOf(model), path);
    const { frequencies, ...rest } = header.rope;
    const rope = { ...rest, scaling: rest.scaling as never, frequencies: Float32Array.from(frequencies) };
    const empty = Cache.empty(model, header.compute, rope, header.kv);
    const kept = header.kept;
    const heads = model.config.layers * model.config.kvHeads;
    const counts = kept ? kept.positions.flat().map((own) => own.length) : new Array<number>(heads).fill(0);
    const bias = kept?.bias?.flat().map((own) => (own.length ? Float32Array.from(own) : undefined));
    const layers = [];
    for (const bytes of header.layers) {
      const pages = new Uint8Array(bytes);
      await readWhole(file, pages, path);
      layers.push(native().upload(pages));
    }
    const moved = kept?.moved ?? 0;
    const done = native().restoreCache(
      empty.native(),
      header.ids.length - moved,
      kept ? kept.length - moved : 0,
      Int32Array.from(counts),
      bias ?? new Array(heads).fill(undefined),
      layers,
    );
    await Tensor.fromBuffer(done, [0], "f32", "load").data();
    for (const one of layers) native().release(one);
    const read =
      kept?.reads === undefined ? empty : await reading(empty, header.ids.length - moved, kept.reads);
    const cache = read.holding(header.ids, kept && factsOf(kept));
    return kept ? cache.reported(new CompactionReport(kept.report, kept.provenance)) : cache;
  } finally {
    await file.close();
  }
}

function factsOf(facts: NonNullable<Header["kept"]>): Kept {
  const { length, moved, method, reads, positions, bias, provenance } = facts;
  return {
    reads,
    ...{ length, moved, method, provenance, biased: bias !== undefined },
    positions: positions.map((heads) => heads.map((own) => Int32Array.from(own))),
  };
}

async function reading(cache: Cache, position: number, pages: number): Promise<Cache> {
  const [handle, done] = native().readPages(cache.native(), position, pages);
  await Tensor.fromBuffer(done, [0], "f32", "load").data();
  cache.dispose();
  return new Cache(cache.model, cache.compute, cache.kv, cache.rope, handle);
}

type File = Awaited<ReturnType<typeof open>>;

async function readWhole(file: File, into: Uint8Array, path: string): Promise<void> {
  for (let at = 0; at < into.length; ) {
    const { bytesRead } = await file.read(into, at, into.length - at);
    if (bytesRead === 0) throw damaged(path, "it ends too early");
    at += bytesRead;
  }
}

async function readHeader(file: File, path: string, size: number): Promise<Header> {
  const start = Buffer.alloc(16);
  if (size < 16) throw damaged(path, "it is no cache");
  await readWhole(file, start, path);
  const length = Number(start.readBigUInt64LE(8));
  if (start.toString("latin1", 0, 8) !== MAGIC) throw damaged(path, "it is no cache");
  if (length > MOST_HEADER || length > size - 16) throw damaged(path, "its header is too long");
  const text = new Uint8Array(length);
  await readWhole(file, text, path);
  let header: Header;
  try {
    header = JSON.parse(Buffer.from(text).toString()) as Header;
  } catch {
    throw damaged(path, "its header is no JSON");
  }
  const layers = listOf(header?.layers, (bytes) => isCount(bytes, size));
  if (!layers || 16 + length + layers.reduce((sum, bytes) => sum + bytes, 0) !== size)
    throw damaged(path, "its size is not what its header says");
  return header;
}

function checkHeader(header: Header, model: Model, fingerprint: string, path: string): void {
  const { layers, kvHeads, headWidth, vocabulary } = model.config;
  if (header.version !== VERSION)
    throw new LensorError(`${path} is of another version`, {
      expected: `version ${VERSION}`,
      got: describe(header.version),
    });
  if (header.fingerprint !== fingerprint)
    throw new LensorError(`${path}: the cache belongs to another model`, {
      expected: `a cache of ${model.name}`,
      got: `one of ${describe(header.model)}`,
      fix: "Load that model, and give it its own cache.",
    });
  const { kept, rope } = header;
  const length = header.ids?.length;
  const ids = listOf(header.ids, (id) => isCount(id, vocabulary - 1));
  const turns = listOf(rope?.frequencies, Number.isFinite);
  const plain =
    ids !== undefined &&
    turns?.length === headWidth / 2 &&
    Number.isFinite(rope.attentionFactor) &&
    isCount(rope.context, 1 << 24) &&
    header.layers.length === layers &&
    (header.compute === "exact" || header.compute === "fast") &&
    KV_TYPES.includes(header.kv);
  if (!plain) throw damaged(path, "its header says what cannot be");
  if (!kept) return;
  const grid = (rows: readonly (readonly (readonly number[])[])[], most: number) =>
    listOf(
      rows,
      (one) => listOf(one, (own) => listOf(own, (x) => x <= most) !== undefined)?.length === kvHeads,
    )?.length === layers;
  const sound =
    isCount(kept.length, length) &&
    isCount(kept.moved, kept.length) &&
    (kept.reads === undefined || isCount(kept.reads, 1 << 24)) &&
    grid(kept.positions, length) &&
    (kept.bias === undefined || grid(kept.bias, Number.POSITIVE_INFINITY)) &&
    typeof kept.method === "string" &&
    typeof kept.report === "object" &&
    Array.isArray(kept.report?.heads);
  if (!sound) throw damaged(path, "what it says of its compaction cannot be");
}

function listOf<T>(value: readonly T[] | undefined, fits: (one: T) => boolean): readonly T[] | undefined {
  return Array.isArray(value) && value.every(fits) ? value : undefined;
}

function isCount(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function damaged(path: string, why: string): LensorError {
  return new LensorError(`${path} is damaged: ${why}`, {
    expected: "a file that cache.save(file) wrote",
    fix: "Make the cache again with model.prefill(text), and save that.",
  });
}
