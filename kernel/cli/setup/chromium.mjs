// The browser of the end-to-end tests: one that is there, or Debian's. Installed only where nobody's machine is changed by
// surprise: under CI, or as root.

import { run } from "./process.mjs";
import { onPath } from "./tools.mjs";

export const INSTALL = "apt-get update && apt-get install -y chromium";

/** @param {(text: string) => void} say @returns {Promise<string | undefined>} its path */
export async function ensureChromium(say) {
  const found = findChromium();
  if (found) return found;
  const isAllowed = Boolean(process.env.CI) || process.getuid?.() === 0;
  if (!isAllowed || !onPath("apt-get")) {
    say(`No Chromium found: the browser tests (test/e2e) are skipped. To run them: sudo sh -c "${INSTALL}"`);
    return undefined;
  }
  say("  Chromium ...");
  const began = performance.now();
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = process.getuid?.() === 0 ? ["apt-get"] : ["sudo", "-n", "apt-get"];
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", "chromium"]]) {
    const [command = "apt-get", ...first] = apt;
    const { code } = await run(command, [...first, ...args], { env });
    if (code !== 0) {
      say(`apt-get ${args[0]} failed: the browser tests (test/e2e) are skipped. To run them: ${INSTALL}`);
      return undefined;
    }
  }
  say(`  Chromium ... done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return findChromium();
}

/** Chromium or Chrome on the PATH, or the one that CHROMIUM names. */
export function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) {
    const path = onPath(name);
    if (path) return path;
  }
  return undefined;
}
