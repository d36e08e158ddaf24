/** Part of `lensor bench compress`: two models on disk merged into a third, against mergekit, in bytes written a second. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hub, Model, merge } from "../../../lib/index.ts";
import type { Contest } from "../figure.ts";
import type { Options } from "../options.ts";

const METHODS = ["linear", "slerp", "ties"] as const;

export const merging = {
  async contests({ only, model, short }: Options): Promise<Contest[]> {
    const named = (method: string) => `merging: ${method}`;
    const wanted = METHODS.filter(
      (method) => only.length === 0 || only.some((text) => named(method).includes(text)),
    );
    if (wanted.length === 0) return [];
    const folder = mkdtempSync(join(tmpdir(), "lensor-bench-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    const given = short
      ? await Model.fromConfig({ layers: 1, width: 32, heads: 2, feedForward: 48, seed: 1, check: false })
      : await hub.load(model);
    await given.save(a, { dtype: "f16" });
    given.dispose();
    // Another of its kind: every layer by a factor of its own, so that no tensor is the same.
    await merge.passthrough([a], { scale: [0.9, 1.1], out: b });
    return wanted.map((method): Contest => {
      const job = (side: string) => ({
        prepare: "merging",
        args: { method, a, b, out: join(folder, `${side} ${method}`) },
      });
      return {
        ...{ name: named(method), unit: "MB/s", work: 1e-6, ours: job("ours") },
        peers: [{ label: "run_merge", script: "merging", job: job("theirs") }],
        targets: short ? {} : { ratio: { "": 1 } },
      };
    });
  },
};
