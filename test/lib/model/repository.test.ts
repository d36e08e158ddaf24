// hub.load("owner/name") against a server on this machine: what comes is whole, checked and in huggingface_hub's cache; what is
// cut goes on where it stopped; what is refused or wrong is said. Oracle: the folder that is served, byte for byte.

import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hub, LensorError } from "../../../lib/index.ts";
import { repositoryOf } from "../../../lib/model/repository.ts";
import { COMMIT, type HubServer, serveHub } from "./hub-server.ts";
import { tinyModel } from "./write-gguf.ts";

const ID = "someone/tiny-llama";
const source = fileURLToPath(new URL("../../fixtures/llama", import.meta.url));
const saved = { ...process.env };
let folder: string;
let server: HubServer;

async function serve(from = source): Promise<void> {
  server = await serveHub(ID, from);
  process.env.HF_ENDPOINT = server.url;
}
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "lensor-hub-"));
  process.env = { ...saved, HF_HUB_CACHE: join(folder, "hub") };
  delete process.env.HF_TOKEN;
  delete process.env.HF_HUB_OFFLINE;
  await serve();
});
afterEach(async () => {
  await server.close();
  process.env = { ...saved };
  delete (globalThis as Record<symbol, unknown>)[Symbol.for("lensor.host")];
  rmSync(folder, { recursive: true, force: true });
});
const store = (...path: string[]) => join(folder, "hub", "models--someone--tiny-llama", ...path);
const snapshot = () => store("snapshots", COMMIT);
const gets = (name: string) =>
  server.log.filter((line) => line.startsWith("GET /cdn/") && line.includes(name));

describe("a repository", { timeout: 60_000 }, () => {
  it("is downloaded once, into huggingface_hub's layout", async () => {
    const model = await hub.load(ID);
    expect(model.name).toBe(ID);
    expect(model.tensors.length).toBe(21);
    for (const name of readdirSync(snapshot())) {
      expect(readFileSync(join(snapshot(), name)), name).toEqual(readFileSync(join(source, name)));
      expect(lstatSync(join(snapshot(), name)).isSymbolicLink()).toBe(true);
      expect(readlinkSync(join(snapshot(), name))).toMatch(
        /^\.\.\/\.\.\/blobs\/([0-9a-f]{40}|[0-9a-f]{64})$/,
      );
    }
    expect(readFileSync(store("refs", "main"), "utf8")).toBe(COMMIT);
    const asked = server.log.length;
    await hub.load(ID);
    expect(server.log.slice(asked)).toEqual([`GET /api/models/${ID}/revision/main`]);
  });

  it("asked for twice at once is fetched once", async () => {
    server.cut = { after: 30_000, times: 2 };
    const models = await Promise.all([hub.load(ID), hub.load(ID)]);
    expect(models.map(({ tensors }) => tensors.length)).toEqual([21, 21]);
    expect(gets("00002-of-00003").length).toBe(1);
  });

  it("that is in the cache needs no server", async () => {
    await hub.load(ID);
    await server.close();
    expect((await hub.load(ID)).tensors.length).toBe(21);
    process.env.HF_HUB_OFFLINE = "1";
    expect((await hub.load(`${ID}@${COMMIT}`)).tensors.length).toBe(21);
    rmSync(join(snapshot(), "model-00002-of-00003.safetensors"));
    await expect(hub.load(ID)).rejects.toThrow(/HF_HUB_OFFLINE is set/);
  });

  it("whose connections are cut goes on where they were", async () => {
    server.cut = { after: 30_000, times: 3 };
    const model = await hub.load(ID);
    expect(model.tensors.length).toBe(21);
    const [first, second] = gets("00001");
    expect(first).not.toMatch(/bytes=/);
    expect(second).toMatch(/ bytes=\d{4,}-$/);
    expect(gets("bytes=").length).toBe(3);
  });

  it("of which a part came before goes on with the next call", async () => {
    server.cut = { after: 30_000, times: 100, stuck: true };
    await expect(hub.load(ID)).rejects.toThrow(/could not be downloaded.*goes on where it stopped/s);
    const [part] = readdirSync(store("blobs")).filter((name) => name.endsWith(".incomplete"));
    const had = statSync(store("blobs", part!)).size;
    expect(had).toBeGreaterThanOrEqual(30_000);
    server.cut = { after: 0, times: 0 };
    server.log.length = 0;
    expect((await hub.load(ID)).tensors.length).toBe(21);
    expect(server.log.some((line) => line.endsWith(`bytes=${had}-`))).toBe(true);
    expect(readdirSync(store("blobs")).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  });

  it("from a server without ranges begins anew", async () => {
    server.cut = { after: 30_000, times: 1 };
    server.ignoreRanges = true;
    expect((await hub.load(ID)).tensors.length).toBe(21);
    expect(readFileSync(join(snapshot(), "model-00001-of-00003.safetensors"))).toEqual(
      readFileSync(join(source, "model-00001-of-00003.safetensors")),
    );
  });

  it("whose bytes are not what was told is refused, and nothing of them stays", async () => {
    const flip = (name: string) => (one: string, bytes: Buffer) => {
      if (one !== name) return bytes;
      const other = Buffer.from(bytes);
      other[other.length - 1]! ^= 1;
      return other;
    };
    server.damage = flip("model-00002-of-00003.safetensors");
    await expect(hub.load(ID)).rejects.toThrow(/00002-of-00003.*is not what its server said.*sha256/s);
    expect(readdirSync(store("blobs")).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
    server.damage = flip("config.json");
    rmSync(store(), { recursive: true });
    await expect(hub.load(ID)).rejects.toThrow(/config\.json.*git's hash/s);
    server.damage = undefined;
    expect((await hub.load(ID)).tensors.length).toBe(21);
  });

  it("that is longer or shorter than told is refused", async () => {
    server.damage = (name, bytes) =>
      name.endsWith("00001-of-00003.safetensors") ? Buffer.concat([bytes, bytes]) : bytes;
    await expect(hub.load(ID)).rejects.toThrow(/longer than its server said/);
    server.damage = (name, bytes) =>
      name.endsWith("00001-of-00003.safetensors") ? bytes.subarray(0, 100) : bytes;
    rmSync(store(), { recursive: true });
    await expect(hub.load(ID)).rejects.toThrow(/could not be downloaded/);
  });

  it("shows how far it is, and ends when the cell is interrupted", async () => {
    const shown: string[] = [];
    const stop = new AbortController();
    server.cut = { after: 5_000, times: 100 };
    const show = (bundle: Record<string, string>) => {
      shown.push(bundle["text/plain"]!);
      stop.abort();
    };
    (globalThis as Record<symbol, unknown>)[Symbol.for("lensor.host")] = {
      display: show,
      update: (_: string, bundle: Record<string, string>) => show(bundle),
      signal: () => stop.signal,
    };
    await expect(hub.load(ID)).rejects.toThrow(/interrupted.*goes on where it stopped/s);
    expect(shown.join("\n")).toMatch(/Downloading someone\/tiny-llama: .* kB of 219 kB.*stopped/s);
  });

  it.each([
    [401, /is not for everybody.*HF_TOKEN/s],
    [403, /is not for everybody.*HF_TOKEN/s],
    [404, /does not exist.*404/s],
    [500, /answered 500.*HF_ENDPOINT/s],
  ])("of which the server says %i", async (status, error) => {
    server.status = status;
    const failure = hub.load(ID);
    await expect(failure).rejects.toThrow(LensorError);
    await expect(failure).rejects.toThrow(error);
  });

  it("without a server is said, with where it was sought", async () => {
    process.env.HF_ENDPOINT = "http://127.0.0.1:9";
    await expect(hub.load(ID)).rejects.toThrow(/cannot be reached.*127\.0\.0\.1:9.*HF_ENDPOINT/s);
  });

  it("of a server that answers something else", async () => {
    for (const listing of [{ hello: 1 }, { sha: "../../x", siblings: [] }, [], "text"]) {
      server.listing = () => listing;
      await expect(hub.load(ID)).rejects.toThrow(/did not answer as the hub does/);
    }
    server.listing = () => ({
      sha: COMMIT,
      siblings: [{ rfilename: "README.md" }, { rfilename: "../../config.json" }],
    });
    await expect(hub.load(ID)).rejects.toThrow(/holds no model that lensor reads.*README\.md/s);
  });
});

describe("a repository of GGUF files", { timeout: 60_000 }, () => {
  it("gives the only one, or the one that is named", async () => {
    const own = mkdtempSync(join(folder, "gguf-"));
    writeFileSync(join(own, "a.gguf"), tinyModel());
    await server.close();
    await serve(own);
    expect((await hub.load(ID)).config.name).toBe("Tiny");
    writeFileSync(join(own, "b.gguf"), tinyModel());
    await server.close();
    await serve(own);
    await expect(hub.load(ID)).rejects.toThrow(
      /holds more than one model.*a\.gguf, b\.gguf.*someone\/tiny-llama\/a\.gguf/s,
    );
    expect((await hub.load(`${ID}/b.gguf`)).config.name).toBe("Tiny");
    await expect(hub.load(`${ID}/c.gguf`)).rejects.toThrow(/holds no c\.gguf/);
  });
});

describe("a name", () => {
  it("is that of a repository, or none", () => {
    expect(repositoryOf("a/b")).toEqual({ id: "a/b", revision: "main", file: undefined });
    expect(repositoryOf("a/b.c@v1")).toEqual({ id: "a/b.c", revision: "v1", file: undefined });
    expect(repositoryOf("a/b/q/c.gguf")).toEqual({ id: "a/b", revision: "main", file: "q/c.gguf" });
    for (const text of [
      "a",
      "./a/b",
      "../b",
      "/a/b",
      "a/b/c",
      "a/../b",
      "a/b.gguf",
      "a/b@../../x",
      "a/b c",
      "a\\b",
    ])
      expect(repositoryOf(text), text).toBeUndefined();
  });
});
