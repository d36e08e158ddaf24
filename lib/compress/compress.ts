// model.quantize and model.prune: makes a copy, lets a method change it, and keeps what was measured on the way. The model
// that was asked stays as it is, also where the work ends early.

import { type Calibration, calibrate, type Visit } from "../calibrate/walk.ts";
import { LensorError } from "../errors.ts";
import type { Factors } from "../model/build.ts";
import { expectedTensors, type ModelTensor } from "../model/config.ts";
import type { Model } from "../model/model.ts";
import type { Precision } from "../model/network.ts";
import { unpacked } from "../model/weights.ts";
import { checkChoice, checkFlag, checkNames, describe } from "../options.ts";
import { type Progress, showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { ggufTypeOf } from "../quantize/grouped.ts";
import { cat } from "../tensor/join.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { partOf } from "../tune/targets.ts";
import type { Compression, Notes, Outcome, Work } from "./method.ts";
import { type CompressionRow, ModelReport } from "./report.ts";

export interface CompressOptions {
  /** Texts like those that the model is to read: a list, or a dataset with a column `text`. For methods that look at them. */
  calibrate?: unknown;
  /** Of the passes over the texts. "bf16" is faster where the machine has products of it. "f32". */
  precision?: Precision;
  /** What makes the logits too; of a model with tied embeddings that is the embedding. */
  head?: boolean;
  /** Ends the work; the model stays as it was. */
  signal?: AbortSignal;
}

/** @throws LensorError for a method of the other verb, a tuned model, and what the method itself refuses */
export async function compress(
  model: Model,
  verb: Compression["verb"],
  method: Compression,
  options: CompressOptions = {},
): Promise<Model> {
  const call = `model.${verb}`;
  checkNames(call, options, ["calibrate", "precision", "head", "signal"]);
  const { precision = "f32", head = false, signal } = options;
  checkChoice(call, "precision", precision, ["f32", "bf16"]);
  checkFlag(call, "head", head);
  checkMethod(call, verb, method);
  if (model.adapter)
    throw new LensorError(`${call}: what was learnt stands beside the weights of ${model.name}`, {
      expected: "a model whose numbers are all in its weights",
      fix: "Merge it first: (await model.adapter.merge()), or compress its base: model.adapter.base.",
    });
  if (model.config.experts)
    throw new LensorError(`${call}: ${model.name} has experts, whose matrices would be left as they are`, {
      expected: "a model with one MLP in each block",
      fix: `Make the dense model smaller first: model.upcycle keeps the matrices of what ${verb} gives.`,
    });
  const matricesOf = (one: Model) =>
    one.tensors.filter(({ name }) => partOf(name) || (head && name === headOf(one)));
  method.check?.(call, matricesOf(model), model);
  signal?.throwIfAborted();
  const began = performance.now();
  const copy = await (method.start?.(model) ?? model.copy());
  const job = new Job(call, copy, matricesOf(copy), method, options);
  let outcome: Outcome | undefined;
  try {
    outcome = (await method.apply(job)) ?? undefined;
    job.end();
  } catch (error) {
    job.end();
    copy.dispose();
    throw error;
  }
  const { calibration } = job;
  const rows = outcome?.rows ?? job.rows;
  const result = outcome?.model ?? copy;
  if (outcome) copy.dispose();
  const made = {
    method: method.name,
    ...method.options,
    head,
    ...(calibration && { precision, calibration }),
  };
  result.keep(
    new ModelReport(
      {
        method: method.name,
        model: model.name,
        bytesBefore: model.bytes,
        bytes: result.bytes,
        seconds: (performance.now() - began) / 1000,
        rows,
      },
      provenance(model.name, { ...made, ...(model.provenance && { from: model.provenance }) }),
    ),
  );
  return result;
}

/** The matrix that makes the logits. */
export function headOf({ config }: Model): string {
  return config.tiedEmbeddings ? "token_embd.weight" : "output.weight";
}

function checkMethod(call: string, verb: string, method: Partial<Compression> | undefined): void {
  if (typeof method === "object" && method?.verb === verb) return;
  const other = typeof method === "object" && method?.verb;
  throw new LensorError(`${call} takes a method`, {
    expected: verb === "quantize" ? "rtn(), gptq() or its like" : "magnitude(), wanda() or its like",
    got: other ? `${method.name}(), which is for model.${other}` : describe(method),
  });
}

class Job implements Work {
  readonly call: string;
  readonly model: Model;
  readonly matrices: readonly ModelTensor[];
  readonly signal: AbortSignal | undefined;
  readonly rows: CompressionRow[] = [];
  calibration: Calibration | undefined;
  readonly #label: string;
  readonly #texts: unknown;
  readonly #precision: Precision | undefined;
  #progress: Progress | undefined;

  constructor(
    call: string,
    model: Model,
    matrices: readonly ModelTensor[],
    method: Compression,
    options: CompressOptions,
  ) {
    this.call = call;
    this.model = model;
    this.matrices = matrices;
    this.signal = options.signal;
    this.#label = method.name;
    this.#texts = options.calibrate;
    this.#precision = options.precision;
  }

  get calibrated(): boolean {
    return this.#texts !== undefined;
  }

  async calibrate(visit: Visit): Promise<Calibration> {
    const { call, signal } = this;
    const precision = this.#precision;
    const head = this.matrices.find(({ name }) => name === headOf(this.model))?.name;
    const options = { call, label: this.#label, signal, head, ...(precision && { precision }) };
    this.calibration = await calibrate(this.model, this.#texts, visit, options);
    return this.calibration;
  }

  progress(done: number): void {
    this.signal?.throwIfAborted();
    this.#progress ??= showProgress(`${this.#label}: ${this.model.name}`, this.matrices.length, {
      amount: (done, total) => `${done} of ${total} matrices`,
      afterMs: 1500,
    });
    this.#progress.update(done);
  }

  end(): void {
    this.#progress?.end(`${this.#label}: ${this.rows.length} matrices of ${this.model.name}`);
  }

  async replace(
    { name, type }: Pick<ModelTensor, "name" | "type">,
    stored: Tensor | Factors,
    about: { hessian?: Tensor; notes?: Notes } = {},
  ): Promise<void> {
    const { hessian, notes } = about;
    const shape = expectedTensors(this.model.config).get(name)!;
    const before = unpacked(this.model, name);
    const bytes = "down" in stored ? stored.down.bytes + stored.up.bytes : stored.bytes;
    try {
      this.model.replace({ name, type, shape, bytes }, stored);
      const measured = scope(() => lossOf(before, unpacked(this.model, name), hessian));
      const [off, all, loss, output] = (await measured.data()) as Float32Array;
      measured.dispose();
      this.rows.push({
        ...{ tensor: name, type, gguf: ggufTypeOf(type), shape, bytes },
        bits: (8 * bytes) / shape.reduce((a, b) => a * b),
        error: ratio(off!, all!),
        ...(hessian && { loss: loss!, outputError: ratio(loss!, output!) }),
        ...notes,
      });
    } finally {
      before.dispose();
    }
  }
}

const ratio = (off: number, all: number): number => (off === 0 ? 0 : Math.sqrt(off / all));

/** |dW|^2, |W|^2, and where H is given tr(dW H dW^T), tr(W H W^T). */
function lossOf(before: Tensor, after: Tensor, hessian: Tensor | undefined): Tensor {
  const change = after.sub(before);
  const squares = [change, before].map((x) => x.mul(x).sum());
  const traces = hessian ? [change, before].map((x) => x.matmul(hessian).mul(x).sum()) : [];
  return cat([...squares, ...traces].map((x) => x.reshape(1)));
}
