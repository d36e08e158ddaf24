// Which type each matrix gets. Oracle: the files that llama.cpp's quantize makes of models of several shapes, with and without
// an importance matrix (test/fixtures/make_gguf_recipes.py).

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ModelConfig } from "../../../lib/model/config.ts";
import { recipeOf, typeOf } from "../../../lib/quantize/recipe.ts";
import { problem } from "../problem.ts";

interface Case {
  layers: number;
  heads: number;
  kvHeads: number;
  width: number;
  feedForward: number;
  tied: boolean;
  recipe: string;
  weighed: boolean;
  types: Record<string, string>;
}
const cases = JSON.parse(
  readFileSync(new URL("../../fixtures/gguf-recipes.json", import.meta.url), "utf8"),
) as Case[];

/** "Q4_K*2 Q6_K" as three names. */
const spelled = (runs: string): string[] =>
  runs.split(" ").flatMap((run) => Array(Number(run.split("*")[1] ?? 1)).fill(run.split("*")[0]));

describe("a recipe", () => {
  it("gives each matrix the type that llama.cpp gives it", () => {
    expect(new Set(cases.map(({ recipe }) => recipe)).size).toBe(15);
    for (const { recipe, weighed, types, tied, ...sizes } of cases) {
      const config = { ...sizes, tiedEmbeddings: tied } as ModelConfig;
      for (const [part, runs] of Object.entries(types)) {
        const block = !["output", "token_embd"].includes(part);
        const columns = part === "ffn_down" ? sizes.feedForward : sizes.width;
        const found = spelled(runs).map((_, layer) => {
          const name = `${block ? `blk.${layer}.` : ""}${part}.weight`;
          return typeOf(recipeOf("gguf", recipe), { name, columns, weighed }, config).type;
        });
        expect({ ...sizes, recipe, weighed, part, found }).toEqual({
          ...{ ...sizes, recipe, weighed, part },
          found: spelled(runs),
        });
      }
    }
  });

  it("says which type a width kept it from", () => {
    const config = { layers: 30, heads: 9, kvHeads: 3, tiedEmbeddings: true } as ModelConfig;
    const of = (columns: number) =>
      typeOf("Q4_K_M", { name: "blk.5.attn_q.weight", columns, weighed: false }, config);
    expect([of(512), of(576), of(40)]).toEqual([
      { type: "Q4_K" },
      { type: "Q5_0", asked: "Q4_K" },
      { type: "F16", asked: "Q4_K" },
    ]);
  });

  it("has a name, or an error that lists them", () => {
    expect(recipeOf("gguf", "Q4_K")).toBe("Q4_K_M");
    expect(problem(() => recipeOf("gguf", "q4_k_m"))).toContain(`Did you mean "Q4_K_M"`);
    expect(problem(() => recipeOf("gguf", "IQ2_XS"))).toMatch(/one of Q2_K, Q2_K_S/);
    expect(problem(() => recipeOf("gguf", 4))).toContain("no such recipe");
  });
});
