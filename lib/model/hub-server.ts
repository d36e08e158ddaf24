// What a server of the Hugging Face hub is asked: which files a repository has, and how large and of which hash each is. Its
// answers are checked like everything that comes from outside. HF_ENDPOINT names another server, HF_TOKEN who asks.

import { LensorError } from "../errors.ts";
import { currentHost } from "../host.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type RemoteFile, reasonOf, refusal } from "./fetch-file.ts";

const LIMITS = { answer: 32 << 20, files: 1 << 16, size: 2 ** 44 };
const REDIRECTS = 3;
const PATIENCE_MS = 30_000;

export interface Listing {
  readonly commit: string;
  readonly names: readonly string[];
}

/** A server's answer that no cache stands in for. */
export class Refused extends LensorError {}

export class HubServer {
  readonly #endpoint = (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");
  readonly #headers: Record<string, string> = {
    "user-agent": "lensor",
    ...(process.env.HF_TOKEN && { authorization: `Bearer ${process.env.HF_TOKEN}` }),
  };

  /** The commit of a revision, and the names of its files. */
  async list({ id, revision }: { id: string; revision: string }): Promise<Listing> {
    const url = `${this.#endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}`;
    const response = await this.#ask(id, url, { redirect: "follow" });
    if (response.status !== 200) {
      await response.body?.cancel();
      const { message } = refusal(revision === "main" ? id : `${id}@${revision}`, response.status);
      throw new Refused(message);
    }
    const { sha, siblings } = await this.#json(response, url);
    const names = Array.isArray(siblings)
      ? siblings.map((one) => (isObject(one) ? one.rfilename : undefined))
      : [];
    if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha) || names.length > LIMITS.files)
      throw new LensorError(`${url} did not answer as the hub does`, {
        expected: "a commit and the names of its files",
        fix: "Check HF_ENDPOINT where it is set.",
      });
    // A name that leads out of its folder is none.
    const usable = names.filter(
      (name): name is string =>
        typeof name === "string" && /^[\w][\w./-]{0,300}$/.test(name) && !name.includes(".."),
    );
    return { commit: sha, names: usable };
  }

  /** Size and hash of a file, which stand in the answer that leads to its bytes. */
  async head(id: string, commit: string, name: string): Promise<RemoteFile> {
    const what = `${id}: ${name}`;
    let url = `${this.#endpoint}/${id}/resolve/${commit}/${name}`;
    for (let turns = 0; ; turns++) {
      const response = await this.#ask(what, url, { method: "HEAD", redirect: "manual" });
      const { status, headers } = response;
      const to = headers.get("location");
      const hash = (headers.get("x-linked-etag") ?? headers.get("etag") ?? "")
        .replace(/^W\//, "")
        .replaceAll('"', "");
      // Renamed repositories lead to their new place on the same server; files to where their bytes lie.
      if (
        status >= 300 &&
        status < 400 &&
        to?.startsWith("/") &&
        !headers.has("x-linked-etag") &&
        turns < REDIRECTS
      ) {
        url = this.#endpoint + to;
        continue;
      }
      if (status !== 200 && !(status >= 300 && status < 400)) throw refusal(what, status);
      const size = Number(headers.get("x-linked-size") ?? headers.get("content-length") ?? Number.NaN);
      if (
        /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash) &&
        Number.isSafeInteger(size) &&
        size >= 0 &&
        size <= LIMITS.size
      )
        return { url, headers: this.#headers, size, hash, name: what };
      throw new LensorError(`${what}: the server does not say what it is`, {
        expected: "size and hash in the answer's headers, as the hub has them",
        got: `size ${size}, hash ${JSON.stringify(hash.slice(0, 70))}`,
        fix: "Check HF_ENDPOINT where it is set.",
      });
    }
  }

  async #ask(what: string, url: string, options: RequestInit): Promise<Response> {
    try {
      const limits = [AbortSignal.timeout(PATIENCE_MS), currentHost()?.signal?.()].filter(
        (one) => one !== undefined,
      );
      const headers = { ...this.#headers, "accept-encoding": "identity" };
      return await fetch(url, { ...options, headers, signal: AbortSignal.any(limits) });
    } catch (cause) {
      throw new LensorError(`${what} cannot be reached: ${reasonOf(cause)}`, {
        expected: `an answer from ${this.#endpoint}`,
        fix: "Check the network, and HF_ENDPOINT where it is set.",
        cause,
      });
    }
  }

  async #json(response: Response, url: string): Promise<JsonObject> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      if ((size += chunk.length) > LIMITS.answer)
        throw new LensorError(`${url} answered too much`, { expected: `at most ${LIMITS.answer} bytes` });
      parts.push(chunk);
    }
    try {
      const value: unknown = JSON.parse(Buffer.concat(parts).toString("utf8"));
      return isObject(value) ? value : {};
    } catch {
      return {};
    }
  }
}
