// A server of the hub's protocol as far as loading asks for it, on this machine: one repository out of a folder. Large files lie
// behind a redirect with their SHA-256, small ones have git's id, as the hub itself has it. Does what a test asks of it: cuts
// connections, ignores ranges, serves other bytes, refuses.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export interface HubServer {
  readonly url: string;
  /** "GET /path range" of every request, in order. */
  readonly log: string[];
  /** Connections are cut after so many bytes of a large file, so many times; `stuck`: those that go on, at once. */
  cut: { after: number; times: number; stuck?: boolean };
  ignoreRanges: boolean;
  /** Every answer, in place of what was asked for. */
  status: number | undefined;
  /** Changes what is served under a name, without the hash that is told of it. */
  damage: ((name: string, bytes: Buffer) => Buffer) | undefined;
  listing: ((names: string[]) => unknown) | undefined;
  close(): Promise<void>;
}

export async function serveHub(id: string, folder: string): Promise<HubServer> {
  const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  const served: Omit<HubServer, "url" | "close"> = {
    ...{ log: [], cut: { after: 0, times: 0 }, ignoreRanges: false },
    ...{ status: undefined, damage: undefined, listing: undefined },
  };
  const server = createServer((request, response) => answer(served, files, id, request, response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const close = () =>
    new Promise<void>((done) => {
      server.closeAllConnections();
      server.close(() => done());
    });
  return Object.assign(served, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close });
}

function answer(
  served: Omit<HubServer, "url" | "close">,
  files: ReadonlyMap<string, Buffer>,
  id: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { method, url, headers } = request;
  served.log.push(`${method} ${url}${headers.range ? ` ${headers.range}` : ""}`);
  if (served.status !== undefined) return void response.writeHead(served.status).end();
  if (url === `/api/models/${id}/revision/main`) {
    const names = [...files.keys()];
    const body = served.listing?.(names) ?? {
      sha: COMMIT,
      siblings: names.map((rfilename) => ({ rfilename })),
    };
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  }
  const name = url!.split("/").at(-1)!;
  const bytes = files.get(name);
  const resolved = url === `/${id}/resolve/${COMMIT}/${name}`;
  if (!bytes || !(resolved || url === `/cdn/${name}`)) return void response.writeHead(404).end();
  const large = name.endsWith(".safetensors") || name.endsWith(".gguf");
  const etag = large
    ? createHash("sha256").update(bytes).digest("hex")
    : createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  if (large && resolved) {
    const told = { "x-linked-etag": `"${etag}"`, "x-linked-size": bytes.length, location: `/cdn/${name}` };
    return void response.writeHead(302, told).end();
  }
  const real = served.damage?.(name, bytes) ?? bytes;
  const from = served.ignoreRanges ? 0 : Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
  const part = real.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    "content-length": part.length,
    ...(from > 0 && { "content-range": `bytes ${from}-${real.length - 1}/${real.length}` }),
    etag: `"${etag}"`,
  });
  if (method === "HEAD") return void response.end();
  if (large && served.cut.times > 0 && part.length > served.cut.after) {
    served.cut.times--;
    const some = part.subarray(0, from > 0 && served.cut.stuck ? 0 : served.cut.after);
    response.write(some, () => setTimeout(() => response.destroy(), 20));
    response.flushHeaders();
    return;
  }
  response.end(part);
}
