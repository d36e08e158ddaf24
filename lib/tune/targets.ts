// Which matrices of a model an adapter stands beside: by name, in lensor's words or in transformers', or by pattern.

import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";

/** The linear layers of a block, by their names in a GGUF file and in transformers. */
export const LINEAR = {
  ...{ attn_q: "self_attn.q_proj", attn_k: "self_attn.k_proj", attn_v: "self_attn.v_proj" },
  ...{ attn_output: "self_attn.o_proj" },
  ...{ ffn_gate: "mlp.gate_proj", ffn_up: "mlp.up_proj", ffn_down: "mlp.down_proj" },
} as const;
export type Linear = keyof typeof LINEAR;

/**
 * A name ("attn_q", "q_proj"), a path with `*` for any characters ("blk.2*.ffn_*"), or a regular expression that is looked
 * for in "blk.3.attn_q".
 */
export type Target = string | RegExp;

/** A test of names in the file ("blk.3.attn_q.weight"). @throws LensorError where a target fits no linear layer */
export function targetsOf(
  call: string,
  option: string,
  targets: readonly Target[],
): (name: string) => boolean {
  if (!Array.isArray(targets) || targets.length === 0)
    throw new LensorError(`${call}: ${option} names no linear layer`, {
      expected: `some of ${Object.keys(LINEAR).join(", ")}, or patterns of "blk.3.attn_q"`,
      got: Array.isArray(targets) ? "none" : describe(targets),
    });
  const tests = targets.map((target) => testOf(call, option, target));
  return (name) => {
    const path = name.replace(/\.weight$/, "");
    return partOf(name) !== undefined && tests.some((test) => test(path));
  };
}

function testOf(call: string, option: string, target: unknown): (path: string) => boolean {
  if (target instanceof RegExp) return (path) => path.search(target) >= 0;
  if (typeof target === "string" && target.includes("*")) {
    const pieces = target.split(/\*+/).map((piece) => piece.replace(/[^\w]/g, "\\$&"));
    const whole = new RegExp(`^${pieces.join(".*")}$`);
    return (path) => whole.test(path);
  }
  const own = Object.entries(LINEAR).find(
    ([name, theirs]) => target === name || target === theirs || target === theirs.split(".")[1],
  );
  if (own) return (path) => path.endsWith(`.${own[0]}`);
  if (typeof target === "string" && /^blk\.\d+\.\w+$/.test(target)) return (path) => path === target;
  throw new LensorError(`${call}: ${option} names no linear layer`, {
    expected: `some of ${Object.keys(LINEAR).join(", ")}, or patterns of "blk.3.attn_q"`,
    got: describe(target),
  });
}

/** "attn_q" of "blk.3.attn_q.weight"; undefined for what is no linear layer of a block. */
export function partOf(name: string): Linear | undefined {
  const part = /^blk\.\d+\.(\w+)\.weight$/.exec(name)?.[1];
  return part !== undefined && Object.hasOwn(LINEAR, part) ? (part as Linear) : undefined;
}
