// One set-up at a time in one folder. A lock file that its holder touches every second: one that nobody touches any more
// was left behind by a set-up that was killed. Relies on Node alone.

import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

const BEAT_MS = 1000;
const DEAD_MS = 15_000;

/**
 * Waits for the lock and holds it while `work` runs.
 * @template T
 * @param {string} path
 * @param {() => void} onWait Called once where another one holds it
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, onWait, work) {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  while (!take(path)) {
    if (isDead(path)) remove(path);
    else {
      if (!told) onWait();
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const beat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(path, now, now);
    } catch {}
  }, BEAT_MS);
  const release = () => {
    clearInterval(beat);
    rmSync(path, { force: true });
  };
  const leave = (/** @type {NodeJS.Signals} */ signal) => {
    release();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.once("SIGINT", leave).once("SIGTERM", leave);
  try {
    return await work();
  } finally {
    process.off("SIGINT", leave).off("SIGTERM", leave);
    release();
  }
}

/** @param {string} path */
function take(path) {
  try {
    const file = openSync(path, "wx");
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
}

/** @param {string} path */
function isDead(path) {
  try {
    return Date.now() - statSync(path).mtimeMs > DEAD_MS;
  } catch {
    return false;
  }
}

/** Of several that find a dead lock, the rename lets one take it away. */
function remove(/** @type {string} */ path) {
  const aside = `${path}.${process.pid}`;
  try {
    if (!isDead(path)) return;
    renameSync(path, aside);
    readFileSync(aside);
    rmSync(aside, { force: true });
  } catch {}
}
