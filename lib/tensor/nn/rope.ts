// Rotary position embedding (Su et al. 2021), halves (i, i + d/2) turned together as Llama's implementation has it.

import { LensorError } from "../../errors.ts";
import { enqueue, upload } from "../queue.ts";
import { permute, reshape } from "../reshape.ts";
import { scope } from "../scope.ts";
import { countOf, formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { checkTensor, typed } from "./rows.ts";

export interface RopeOptions {
  /** The base of the wavelengths: 10,000. */
  theta?: number;
  /** Of each of the T rows; 0, 1, ... by default. */
  positions?: readonly number[];
}

/**
 * Turns each pair (x[i], x[i + d/2]) of row t by the angle position(t) * theta^(-2i/d).
 * @param x `[..., T, d]`, d even
 */
export function rope(x: Tensor, { theta = 10_000, positions }: RopeOptions = {}): Tensor {
  checkTensor(x, "rope");
  const [T, d] = [x.shape.at(-2), x.shape.at(-1)];
  if (T === undefined || d === undefined || d % 2 !== 0)
    throw new LensorError("rope needs rows of an even width", {
      expected: "a tensor [..., T, d] with d even",
      got: formatShape(x.shape),
    });
  const places = positions ?? Array.from({ length: T }, (_, t) => t);
  if (places.length !== T || !places.every((place) => Number.isInteger(place) && place >= 0))
    throw new LensorError("rope needs a position for each row", {
      expected: `${T} whole numbers, 0 or more`,
      got: `${places.length}`,
    });
  return scope(() => {
    const heads = countOf(x.shape.slice(0, -2));
    const rows = permute(reshape(typed(x, "rope"), [heads, T, d], "rope"), [1, 0, 2], "rope");
    const turned = rotated(rows, new Turns(frequenciesOf(d, theta), Math.max(0, ...places) + 1), places);
    return reshape(permute(turned, [1, 0, 2], "rope"), x.shape, "rope");
  });
}

/** theta^(-2i/d), `[d / 2]`: radians a position. Rounded to f32 where transformers rounds: late positions feel it. */
export function frequenciesOf(width: number, theta: number): Float32Array {
  return Float32Array.from(
    { length: width / 2 },
    (_, i) => 1 / Math.fround(Math.fround(theta) ** Math.fround((2 * i) / width)),
  );
}

/** Cosines and sines of every position's angles, `[positions, d / 2]`, times a factor. */
export class Turns {
  readonly cos: Tensor;
  readonly sin: Tensor;

  constructor(frequencies: Float32Array, positions: number, factor = 1) {
    const half = frequencies.length;
    const [cos, sin] = [new Float32Array(positions * half), new Float32Array(positions * half)];
    for (let i = 0; i < half; i++) {
      for (let t = 0; t < positions; t++) {
        const angle = Math.fround(t * frequencies[i]!);
        cos[t * half + i] = Math.cos(angle) * factor;
        sin[t * half + i] = Math.sin(angle) * factor;
      }
    }
    this.cos = upload(cos, [positions, half], "f32", "cos");
    this.sin = upload(sin, [positions, half], "f32", "sin");
  }
}

/** Rows of heads `[T, heads, d]` by their positions; `back`: the other way. */
export function rotated(
  x: Tensor,
  { cos, sin }: Turns,
  positions: readonly number[] | Tensor,
  back = false,
): Tensor {
  const at = Array.isArray(positions)
    ? upload(BigInt64Array.from(positions as number[], BigInt), [positions.length], "i64", "positions")
    : (positions as Tensor);
  return enqueue("rotate", [back ? 1 : 0], { name: "rope", dtype: x.dtype, shape: x.shape }, [
    x,
    at,
    cos,
    sin,
  ]);
}
