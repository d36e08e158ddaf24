/**
 * The peer of the benchmarks: llama.cpp as npm's node-llama-cpp carries it, in the ignored folder `.bench/`.
 * Installed on first use, pinned, with the one binary of this machine's CPU: never a dependency of the project.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const VERSION = "3.22.1";
const BINARIES: Record<string, string> = {
  "linux-x64": "linux-x64",
  "linux-arm64": "linux-arm64",
  "darwin-arm64": "mac-arm64-metal",
  "darwin-x64": "mac-x64",
  "win32-x64": "win-x64",
};

export const peerName = `node-llama-cpp ${VERSION}`;

/** The part of node-llama-cpp that the benchmarks call. */
export interface Peer {
  getLlama(options: object): Promise<{
    loadModel(options: { modelPath: string; gpuLayers: number }): Promise<{
      createContext(options: object): Promise<{ getSequence(): PeerSequence }>;
    }>;
  }>;
}
export interface PeerSequence {
  evaluate(tokens: number[], options: object): AsyncIterable<number>;
  evaluateWithoutGeneratingNewTokens(tokens: number[]): Promise<void>;
  clearHistory(): Promise<void>;
}

/** Installs the peer where it is missing. */
export function installPeer(root: string): void {
  const folder = join(root, ".bench");
  const key = `${process.platform}-${process.arch}`;
  const binary = BINARIES[key];
  if (!binary) throw new Error(`The peer ${peerName} has no binary for ${key}; run \`lensor bench kernel\`.`);
  if (existsSync(join(folder, "node_modules/@node-llama-cpp", binary)) && existsSync(entry(root))) return;
  console.log(`Installing ${peerName} into ${folder} (about 85 MB, once) ...`);
  const packages = [`node-llama-cpp@${VERSION}`, `@node-llama-cpp/${binary}@${VERSION}`];
  // Without the optional packages: they are the CUDA and Vulkan builds, hundreds of megabytes each.
  const options = [
    "--prefix",
    folder,
    "--no-save",
    "--omit=optional",
    "--ignore-scripts",
    "--loglevel=error",
  ];
  const shell = process.platform === "win32";
  const npm = spawnSync("npm", ["install", ...options, ...packages], { stdio: "inherit", shell });
  if (npm.status !== 0) throw new Error(`npm could not install ${peerName}: see its message above.`);
}

export async function importPeer(root: string): Promise<Peer> {
  return (await import(pathToFileURL(entry(root)).href)) as Peer;
}

function entry(root: string): string {
  return join(root, ".bench/node_modules/node-llama-cpp/dist/index.js");
}
