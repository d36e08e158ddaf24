// Tensor operations against PyTorch, case by case. Tolerance: one unit in the last place of 16-bit results, 2e-6 relative
// for f32 (sums in another order, other polynomials for exp and erf), exact for integers, booleans and casts.
// Fixtures: test/fixtures/make_tensor.py.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type DType, type Tensor, tensor } from "../../../lib/index.ts";

type Value = number | boolean | string;
interface Plain {
  dtype: DType;
  shape: number[];
  data: Value[];
}
interface Case {
  name: string;
  op: string;
  inputs: Plain[];
  args: unknown[];
  result?: Plain;
  error?: true;
}

const cases = JSON.parse(
  readFileSync(new URL("../../fixtures/tensor.json", import.meta.url), "utf8"),
) as Case[];

function make({ dtype, shape, data }: Plain): Tensor {
  const values =
    dtype === "i64" ? BigInt64Array.from(data as string[], BigInt) : Float32Array.from(data, Number);
  // i32 reaches beyond f32's whole numbers.
  if (dtype === "i32") return tensor(Int32Array.from(data as number[]), { shape });
  return tensor(values, { shape, dtype });
}

/** How each operation is called; the rest are methods that take the other tensors, then the arguments. */
const calls: Record<string, (inputs: Tensor[], args: never[]) => Tensor> = {
  cast: ([x], [dtype]) => x!.cast(dtype!),
  cat: (inputs, [axis]) => tensor.cat(inputs, axis),
  index: ([x], spec) => x!.at(...spec),
  matmul: ([a, b], [transposed]) =>
    transposed ? a!.transpose(0, 1).matmul(b!.transpose(0, 1)) : a!.matmul(b!),
};

async function run({ op, inputs, args }: Case): Promise<Tensor> {
  const made = inputs.map(make);
  const call = calls[op];
  if (call) return call(made, args as never[]);
  const [x, ...others] = made;
  const method = (x as unknown as Record<string, (...args: unknown[]) => Tensor>)[op];
  if (!method) throw new Error(`A tensor has no method ${op}`);
  return method.apply(x, [...others, ...args]);
}

/** Units of rounding by dtype; results of a cast have none to spare. */
const RELATIVE: Partial<Record<DType, number>> = { f32: 2e-6, f16: 2 ** -10, bf16: 2 ** -7 };

function near(found: number, wanted: number, relative: number): boolean {
  if (Object.is(found, wanted) || (Number.isNaN(found) && Number.isNaN(wanted))) return true;
  return Math.abs(found - wanted) <= relative * Math.max(Math.abs(wanted), relative && 1);
}

describe("tensor operations equal PyTorch's", () => {
  it.for(cases.filter((c) => c.result))("$name", async (c) => {
    const wanted = c.result!;
    const found = await run(c);
    expect(found.dtype).toBe(wanted.dtype);
    expect(found.shape).toEqual(wanted.shape);
    const data = Array.from((await found.data()) as ArrayLike<number | bigint | boolean>);
    if (wanted.dtype === "i64") return expect(data.map(String)).toEqual(wanted.data);
    const relative = c.op === "cast" ? 0 : (RELATIVE[wanted.dtype] ?? 0);
    // Nine digits name one f32; which one is what rounding them to f32 says.
    const exactly = RELATIVE[wanted.dtype] ? Math.fround : Number;
    const pairs = data.map((value, i) => [Number(value), exactly(Number(wanted.data[i]))] as const);
    expect(pairs.length).toBe(wanted.data.length);
    expect(pairs.filter(([a, b]) => !near(a, b, relative))).toEqual([]);
  });

  it.for(cases.filter((c) => c.error))("$name", async (c) => {
    // Shape and dtype errors throw at the call, before anything is computed.
    const made = run(c);
    await expect(made).rejects.toThrow(/expected|must|cannot|outside|needs|match|size|axis|axes|shape/i);
  });
});
