// Models by the names of their repositories on the Hugging Face hub: what of one is needed, and where it is kept: in the cache
// of huggingface_hub, in its layout, so that neither downloads what the other has. Relies on fetch-file.ts for the bytes.
// Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache

import { copyFile, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { LensorError } from "../errors.ts";
import { currentHost } from "../host.ts";
import { isObject, readJson } from "../json.ts";
import { formatBytes } from "../plot/format.ts";
import { showProgress } from "../progress.ts";
import { fetchFile, type RemoteFile } from "./fetch-file.ts";
import { HubServer, type Listing, Refused } from "./hub-server.ts";

/** What the files of a model are called; those that are not there are not needed. */
const BESIDE = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"];
const [ONE, INDEX] = ["model.safetensors", "model.safetensors.index.json"];
const MOST_INDEX = 64 << 20;

export interface Repository {
  /** "owner/name" */
  readonly id: string;
  /** A branch, tag or commit. */
  readonly revision: string;
  /** One file of it, where it is named: "owner/name/file.gguf". */
  readonly file: string | undefined;
}

/** What a text names, where it can be a repository: "owner/name", "owner/name@revision", "owner/name/file.gguf". */
export function repositoryOf(text: string): Repository | undefined {
  const match =
    /^([\w-][\w.-]{0,95}\/[\w-][\w.-]{0,95})(?:\/([\w./-]{1,200}\.gguf))?(?:@([\w./-]{1,200}))?$/i.exec(text);
  if (!match || text.includes("..") || (!match[2] && /\.(gguf|safetensors)$/i.test(match[1]!)))
    return undefined;
  return { id: match[1]!, revision: match[3] ?? "main", file: match[2] };
}

/** Where huggingface_hub keeps what it downloads. */
export function hubCache(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env;
  const given = HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE;
  if (given) return resolve(given);
  return join(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"), "hub");
}

/**
 * The folder, or the one .gguf file, of a repository: downloaded where it is not in the cache.
 * @throws LensorError where it does not exist, may not be read, cannot be reached or is damaged on the way
 */
export async function fetchRepository(repository: Repository): Promise<{ path: string; folder: boolean }> {
  const { id, revision } = repository;
  const store = join(hubCache(), `models--${id.replace("/", "--")}`);
  const server = new HubServer();
  let listing: Listing;
  try {
    if (["1", "true", "yes", "on"].includes((process.env.HF_HUB_OFFLINE ?? "").toLowerCase()))
      throw new LensorError(`HF_HUB_OFFLINE is set, and ${id} is not in the cache`, { expected: store });
    listing = await server.list(repository);
  } catch (error) {
    const cached = await cachedSnapshot(store, repository);
    // What the server refuses is refused; only one that cannot be asked is done without.
    if (!cached || error instanceof Refused) throw error;
    return cached;
  }
  const snapshot = join(store, "snapshots", listing.commit);
  const wanted = await wantedFiles(repository, listing, (name) =>
    obtain(server, store, snapshot, id, listing, [name]),
  );
  await obtain(server, store, snapshot, id, listing, wanted);
  await mkdir(join(store, "refs", dirname(revision)), { recursive: true });
  if (revision !== listing.commit) await writeFile(join(store, "refs", revision), listing.commit);
  return placeOf(snapshot, wanted);
}

const placeOf = (snapshot: string, files: readonly string[]) => {
  const gguf = files.find((name) => /\.gguf$/i.test(name));
  return gguf ? { path: join(snapshot, gguf), folder: false } : { path: snapshot, folder: true };
};

/** What was downloaded before, whole. */
async function cachedSnapshot(store: string, { revision, file }: Repository) {
  const commit = /^[0-9a-f]{40}$/.test(revision)
    ? revision
    : await readFile(join(store, "refs", revision), "utf8").catch(() => undefined);
  if (commit === undefined || !/^[0-9a-f]{40}$/.test(commit.trim())) return undefined;
  const snapshot = join(store, "snapshots", commit.trim());
  const there = (name: string) =>
    stat(join(snapshot, name)).then(
      () => true,
      () => false,
    );
  if (file) return (await there(file)) ? placeOf(snapshot, [file]) : undefined;
  if (!(await there("config.json")) || !(await there("tokenizer.json"))) return undefined;
  const shards = (await there(INDEX)) ? await shardsOf(join(snapshot, INDEX)) : [ONE];
  for (const name of shards) if (!(await there(name))) return undefined;
  return placeOf(snapshot, shards);
}

async function wantedFiles(
  { id, file }: Repository,
  { names }: Listing,
  fetched: (name: string) => Promise<unknown>,
): Promise<string[]> {
  const has = (name: string) => names.includes(name);
  const missing = (what: string, got: readonly string[]) =>
    new LensorError(`${id} holds no ${what}`, {
      expected: `config.json with ${ONE}, or a .gguf file`,
      got: got.length > 0 ? `${got.slice(0, 8).join(", ")}${got.length > 8 ? ", ..." : ""}` : "no files",
      fix: "Load a repository of a Llama-family model in safetensors or GGUF.",
    });
  if (file) {
    if (has(file)) return [file];
    throw missing(
      file,
      names.filter((name) => /\.gguf$/i.test(name)),
    );
  }
  const beside = BESIDE.filter(has);
  if (has("config.json") && has(INDEX)) {
    const index = await fetched(INDEX);
    return ["config.json", ...beside, INDEX, ...(await shardsOf(String(index)))];
  }
  if (has("config.json") && has(ONE)) return ["config.json", ...beside, ONE];
  const models = names.filter((name) => /\.gguf$/i.test(name));
  if (models.length === 1) return models;
  if (models.length === 0) throw missing("model that lensor reads", names);
  throw new LensorError(`${id} holds more than one model`, {
    expected: "the name of one of its files",
    got: `${models.slice(0, 8).join(", ")}${models.length > 8 ? ", ..." : ""}`,
    fix: `Name it: hub.load("${id}/${models[0]}").`,
  });
}

/** The files that an index names, beside it. */
async function shardsOf(path: string): Promise<string[]> {
  const map = (await readJson(path, MOST_INDEX))?.weight_map;
  const shards = isObject(map) ? [...new Set(Object.values(map))] : [];
  if (
    shards.length > 0 &&
    shards.every((name) => typeof name === "string" && /^[\w.-]{1,200}\.safetensors$/.test(name))
  )
    return shards as string[];
  throw new LensorError(`${path}: weight_map is wrong`, {
    expected: "names of .safetensors files beside it",
  });
}

/** Brings files into a snapshot, those that are not there yet. Where the last of them lies. */
async function obtain(
  server: HubServer,
  store: string,
  snapshot: string,
  id: string,
  { commit }: Listing,
  names: readonly string[],
): Promise<string> {
  const missing: { name: string; remote: RemoteFile; blob: string }[] = [];
  for (const name of names) {
    if (await stat(join(snapshot, name)).catch(() => undefined)) continue;
    const remote = await server.head(id, commit, name);
    missing.push({ name, remote, blob: join(store, "blobs", remote.hash) });
  }
  await mkdir(join(store, "blobs"), { recursive: true });
  const total = missing.reduce((sum, { remote }) => sum + remote.size, 0);
  const progress = showProgress(`Downloading ${id}`, total, {
    amount: (done, all) => `${formatBytes(done)} of ${formatBytes(all)}`,
    afterMs: 500,
  });
  let before = 0;
  try {
    for (const { name, remote, blob } of missing) {
      const signal = currentHost()?.signal?.();
      // Two names of one content are one blob.
      await once(blob, async () => {
        if (await stat(blob).catch(() => undefined)) return;
        await fetchFile(remote, blob, { signal, onBytes: (done) => progress.update(before + done) });
      });
      before += remote.size;
      await link(blob, join(snapshot, name));
    }
  } catch (error) {
    progress.end(`Downloading ${id} stopped`);
    throw error;
  }
  progress.end(`Downloaded ${id} (${formatBytes(total)})`);
  return join(snapshot, names.at(-1)!);
}

const underWay = new Map<string, Promise<void>>();

/** Who asks for what is being fetched waits for it: two writers would spoil it. */
function once(blob: string, fetched: () => Promise<void>): Promise<void> {
  let promise = underWay.get(blob);
  if (!promise) {
    promise = fetched().finally(() => underWay.delete(blob));
    underWay.set(blob, promise);
  }
  return promise;
}

/** As huggingface_hub does: a relative link, or a copy where the file system has none. */
async function link(blob: string, at: string): Promise<void> {
  await mkdir(dirname(at), { recursive: true });
  await symlink(relative(dirname(at), blob), at).catch(async (error) => {
    if (error.code !== "EEXIST") await copyFile(blob, at);
  });
}
