// The README's example, run as it is written, in plain Node; and what the README points to is there.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const readme = readFileSync(join(root, "README.md"), "utf8");

test("the example runs in plain Node", { timeout: 60_000 }, async () => {
  const example = /```ts\n(.*?)```/s.exec(readme)![1]!;
  // Inside this package, where `lensor` is its own name.
  mkdirSync(join(root, "test/output"), { recursive: true });
  const folder = mkdtempSync(join(root, "test/output/readme-"));
  try {
    const file = join(folder, "my.ts");
    writeFileSync(file, example);
    const args = ["--import", "lensor/register", file];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
    expect(stdout).toMatch(/\w+/);
    expect(stdout).toMatch(/perplexity \d+\.\d+/);
    const sums = /rows add up to Float32Array\(11\) \[([^\]]*)\]/.exec(stdout)![1]!.split(",").map(Number);
    for (const sum of sums) expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
    expect(stdout).toMatch(/softmax \[\s*0\.09\d+,\s*0\.24\d+,\s*0\.66\d+\s*\]/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("its links lead somewhere, and its pictures are small", () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path!);
  expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const pictures = links.filter((path) => path.endsWith(".png"));
  expect(pictures.length).toBeGreaterThan(0);
  for (const path of pictures) expect(statSync(join(root, path)).size).toBeLessThanOrEqual(300_000);
});
