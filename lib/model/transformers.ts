// What transformers calls the parts of a Llama model: the keys of config.json and the names of tensors, in both directions.
// The keys come from strangers: every one that would change what a model computes is read or refused.

import { LensorError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type GivenExperts, isPlain } from "../moe/experts.ts";
import { describe } from "../options.ts";
import { configOf } from "./architecture.ts";
import type { ModelConfig } from "./config.ts";
import type { GivenRopeScaling, RopeScaling } from "./rope-scaling.ts";

/** What would be silently wrong if it were ignored, with the values that ask for nothing. */
const PLAIN: Record<string, readonly unknown[]> = {
  hidden_act: ["silu", undefined],
  attention_bias: [false, undefined],
  mlp_bias: [false, undefined],
  partial_rotary_factor: [1, undefined],
  quantization_config: [undefined, null],
};

/** @throws LensorError naming the key that is missing, wrong, or asks for what lensor does not run */
export function configFromJson(path: string, json: JsonObject, name: string): ModelConfig {
  const { model_type } = json;
  const experts = expertsOfJson(path, json);
  if (model_type !== "llama" && !experts)
    throw new LensorError(`${path}: the architecture is not one that lensor runs`, {
      expected: `model_type "llama" or "mixtral"`,
      got: describe(model_type),
      fix: `Load a model of the Llama family, such as "smollm2-135m-instruct".`,
    });
  for (const [key, values] of Object.entries(PLAIN))
    if (!values.includes(json[key]))
      throw new LensorError(`${path}: ${key} asks for something lensor does not run`, {
        expected: describe(values[0]),
        got: describe(json[key]),
        fix: "Load a model of the same family without it.",
      });
  const number = (key: string, fallback?: number): number => {
    const value = json[key] ?? fallback;
    if (typeof value === "number") return value;
    throw new LensorError(`${path}: ${key} is ${value === undefined ? "missing" : "wrong"}`, {
      expected: "a number",
      got: describe(value),
    });
  };
  const { theta, scaling } = ropeOfJson(path, json);
  const heads = number("num_attention_heads");
  const head = json.head_dim ?? undefined;
  // What it leaves out is transformers' own default (LlamaConfig).
  return configOf(
    path,
    {
      name,
      layers: number("num_hidden_layers"),
      width: number("hidden_size"),
      heads,
      kvHeads: number("num_key_value_heads", heads),
      ...(head !== undefined && { headWidth: number("head_dim") }),
      feedForward: number("intermediate_size"),
      vocabulary: number("vocab_size"),
      context: number("max_position_embeddings", 2048),
      normEpsilon: number("rms_norm_eps", 1e-6),
      ropeTheta: theta,
      ropeScaling: scaling,
      tiedEmbeddings: json.tie_word_embeddings === true,
      experts,
    },
    0,
  );
}

/** Mixtral's keys, and our own for experts that it does not know. */
const MIXTRAL = "mixtral";
const OWN = "lensor_experts";

function expertsOfJson(path: string, json: JsonObject): GivenExperts | undefined {
  const own = json[OWN];
  if (json.model_type === OWN && isObject(own)) return own as unknown as GivenExperts;
  if (json.model_type !== MIXTRAL) return undefined;
  const number = (key: string, fallback: number) => {
    const value = json[key] ?? fallback;
    if (typeof value === "number") return value;
    throw new LensorError(`${path}: ${key} is wrong`, { expected: "a number", got: describe(value) });
  };
  const window = json.sliding_window;
  if (typeof window === "number" && window < number("max_position_embeddings", 0))
    throw new LensorError(`${path}: sliding_window asks for something lensor does not run`, {
      expected: "none",
      got: String(window),
    });
  // What it leaves out is transformers' own default (MixtralConfig).
  return {
    count: number("num_local_experts", 8),
    topK: number("num_experts_per_tok", 2),
    balance: number("router_aux_loss_coef", 0.001),
    zLoss: 0,
    ...(isObject(own) ? (own as object) : {}),
  };
}

function jsonOfExperts({ experts }: ModelConfig): object {
  if (!experts) return { architectures: ["LlamaForCausalLM"], model_type: "llama" };
  if (!isPlain(experts)) return { architectures: [], model_type: OWN, [OWN]: experts };
  return {
    ...{ architectures: ["MixtralForCausalLM"], model_type: MIXTRAL, sliding_window: null },
    ...{ num_local_experts: experts.count, num_experts_per_tok: experts.topK },
    ...{ router_aux_loss_coef: experts.balance, [OWN]: experts },
  };
}

/** rope_parameters (transformers 5), or rope_scaling beside rope_theta. */
function ropeOfJson(
  path: string,
  json: JsonObject,
): { theta: number; scaling: GivenRopeScaling | undefined } {
  const given = json.rope_parameters ?? json.rope_scaling ?? undefined;
  if (given !== undefined && !isObject(given))
    throw new LensorError(`${path}: the scaling of RoPE is wrong`, {
      expected: "an object",
      got: describe(given),
    });
  const { rope_theta = json.rope_theta ?? 10_000, ...rest } = given ?? {};
  const theta = typeof rope_theta === "number" ? rope_theta : Number.NaN;
  const type = rest.rope_type ?? rest.type ?? "default";
  const scaling = type === "default" ? undefined : (rest as unknown as GivenRopeScaling);
  return { theta, scaling };
}

/** The content of config.json. `dtype`: of most weights, as torch calls it. */
export function jsonOfConfig(
  config: ModelConfig,
  dtype: string,
  ids: { bos?: number | undefined; eos?: number | undefined; padding?: number | undefined },
): object {
  return {
    ...jsonOfExperts(config),
    hidden_act: "silu",
    attention_bias: false,
    mlp_bias: false,
    num_hidden_layers: config.layers,
    hidden_size: config.width,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headWidth,
    intermediate_size: config.feedForward,
    vocab_size: config.vocabulary,
    max_position_embeddings: config.context,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeScaling?.ropeTheta ?? config.ropeTheta,
    rope_scaling: config.ropeScaling ? jsonOfScaling(config.ropeScaling) : null,
    tie_word_embeddings: config.tiedEmbeddings,
    bos_token_id: ids.bos ?? null,
    eos_token_id: ids.eos ?? null,
    pad_token_id: ids.padding ?? null,
    // Both spellings: the second is what transformers below 4.56 reads.
    dtype,
    torch_dtype: dtype,
  };
}

/** @throws LensorError for a scaling by factors of a file's own, which transformers has no name for */
function jsonOfScaling({ ropeTheta: _, ...scaling }: RopeScaling): object {
  if (scaling.ropeType === "factors")
    throw new LensorError("transformers has no name for a RoPE scaling by single factors", {
      fix: "Save the model as a .gguf file.",
    });
  const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(scaling).map(([key, value]) => [snake(key), value]));
}

const WHOLE: Record<string, string> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};
const BLOCK: Record<string, string> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
  ffn_gate_inp: "block_sparse_moe.gate",
  exp_probs_b: "block_sparse_moe.bias",
  ffn_gate_shexp: "block_sparse_moe.shared.w1",
  ffn_up_shexp: "block_sparse_moe.shared.w3",
  ffn_down_shexp: "block_sparse_moe.shared.w2",
};
const EXPERT: Record<string, string> = { ffn_gate_exps: "w1", ffn_up_exps: "w3", ffn_down_exps: "w2" };

/** The names of a stack's matrices there, one an expert; of any other tensor its one name. */
export function transformersNames(name: string, count: number): string[] {
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  const matrix = part && EXPERT[part];
  if (!matrix) return [transformersName(name)];
  const of = `model.layers.${layer}.block_sparse_moe.experts`;
  return Array.from({ length: count }, (_, e) => `${of}.${e}.${matrix}.weight`);
}

/** "blk.3.attn_q.weight" as "model.layers.3.self_attn.q_proj.weight". */
export function transformersName(name: string): string {
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  return part === undefined ? WHOLE[name]! : `model.layers.${layer}.${BLOCK[part]}.weight`;
}
