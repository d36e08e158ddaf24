// Sums of products by letters, as in NumPy and torch: einsum("bij,bjk->bik", a, b). Brought to matrix products, two tensors
// at a time from the left; letters that nothing needs any more are summed on the way.

import { LensorError } from "../errors.ts";
import { matmul } from "./matmul.ts";
import { permute, reshape } from "./reshape.ts";
import { scope } from "./scope.ts";
import { countOf, formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** A tensor whose axes are named, each once. */
interface Named {
  x: Tensor;
  letters: string[];
}

/** @throws LensorError naming the part of the equation, or the letter whose sizes differ */
export function einsum(equation: string, ...tensors: readonly Tensor[]): Tensor {
  const { inputs, output } = parse(equation, tensors);
  checkSizes(inputs, tensors);
  return scope(() => {
    const named = tensors.map((x, i) => diagonals({ x, letters: inputs[i]! }));
    const all = named.reduce((left, right, i) => {
      const needed = new Set([...output, ...inputs.slice(i + 1).flat()]);
      return product(
        sumAway(left, new Set([...needed, ...right.letters])),
        sumAway(right, new Set([...needed, ...left.letters])),
        needed,
      );
    });
    const { x, letters } = sumAway(all, new Set(output));
    const made = permute(
      x,
      output.map((letter) => letters.indexOf(letter)),
      "einsum",
    );
    return made.named(`einsum ${equation} ${formatShape(made.shape)}`);
  });
}

function parse(equation: string, tensors: readonly Tensor[]): { inputs: string[][]; output: string[] } {
  const fail = (problem: string, expected: string): never => {
    throw new LensorError(`einsum: ${problem}`, { expected, got: JSON.stringify(equation) });
  };
  const text = String(equation).replaceAll(" ", "");
  if (!/^[A-Za-z]*(,[A-Za-z]*)*(->[A-Za-z]*)?$/.test(text))
    fail("this equation cannot be read", 'letters, commas and an arrow, such as "ij,jk->ik"');
  const [left, right] = text.split("->") as [string, string | undefined];
  const inputs = left.split(",").map((part) => [...part]);
  if (inputs.length !== tensors.length)
    fail(`the equation names ${inputs.length} tensors and ${tensors.length} came`, "a tensor for each part");
  tensors.forEach((x, i) => {
    if (!(x instanceof Tensor)) fail(`argument ${i + 1} is no tensor`, "tensors after the equation");
    if (x.view("einsum").shape.length !== inputs[i]!.length)
      fail(
        `"${inputs[i]!.join("")}" does not fit the shape ${formatShape(x.shape)}`,
        "a letter for each axis",
      );
  });
  const letters = inputs.flat();
  const once = [...new Set(letters)]
    .filter((one) => letters.indexOf(one) === letters.lastIndexOf(one))
    .sort();
  const output = right === undefined ? once : [...right];
  const stranger = output.find((one) => !letters.includes(one));
  if (stranger !== undefined) fail(`the result's "${stranger}" is in no input`, "letters of the inputs");
  if (new Set(output).size !== output.length) fail("a letter stands twice in the result", "each letter once");
  return { inputs, output };
}

function checkSizes(inputs: readonly string[][], tensors: readonly Tensor[]): void {
  const sizes = new Map<string, number>();
  inputs.forEach((letters, i) => {
    letters.forEach((letter, axis) => {
      const size = tensors[i]!.shape[axis]!;
      const known = sizes.get(letter) ?? size;
      sizes.set(letter, size);
      if (size === known) return;
      throw new LensorError(`einsum: the sizes of "${letter}" differ`, {
        expected: String(known),
        got: `${size} on axis ${axis} of ${formatShape(tensors[i]!.shape)}`,
      });
    });
  });
}

/** A letter that stands twice in one tensor is its diagonal. */
function diagonals({ x, letters }: Named): Named {
  const twice = letters.find((one, i) => letters.indexOf(one) !== i);
  if (twice === undefined) return { x, letters };
  const [a, b] = [letters.indexOf(twice), letters.lastIndexOf(twice)];
  const rest = letters.map((_, i) => i).filter((i) => i !== a && i !== b);
  const n = x.shape[a]!;
  const flat = reshape(
    permute(x, [...rest, a, b], "einsum"),
    [...rest.map((i) => x.shape[i]!), n * n],
    "einsum",
  );
  const diagonal = flat.at(...rest.map(() => null), [0, n * n, n + 1]);
  return diagonals({ x: diagonal, letters: [...rest.map((i) => letters[i]!), twice] });
}

function sumAway({ x, letters }: Named, needed: ReadonlySet<string>): Named {
  const axes = letters.flatMap((letter, i) => (needed.has(letter) ? [] : [i]));
  if (axes.length === 0) return { x, letters };
  return { x: x.sum(axes), letters: letters.filter((letter) => needed.has(letter)) };
}

/** Two tensors as one batched product [batch, left, k] x [batch, k, right]. */
function product(left: Named, right: Named, needed: ReadonlySet<string>): Named {
  const shared = left.letters.filter((letter) => right.letters.includes(letter));
  const batch = shared.filter((letter) => needed.has(letter));
  const inner = shared.filter((letter) => !needed.has(letter));
  const own = (letters: readonly string[]) => letters.filter((letter) => !shared.includes(letter));
  const [rows, columns] = [own(left.letters), own(right.letters)];
  const sizeOf = (letter: string) => {
    const at = left.letters.indexOf(letter);
    return at >= 0 ? left.x.shape[at]! : right.x.shape[right.letters.indexOf(letter)]!;
  };
  const count = (letters: readonly string[]) => countOf(letters.map(sizeOf));
  const ordered = ({ x, letters }: Named, order: string[], sizes: number[]) =>
    reshape(
      permute(
        x,
        order.map((letter) => letters.indexOf(letter)),
        "einsum",
      ),
      sizes,
      "einsum",
    );
  const a = ordered(left, [...batch, ...rows, ...inner], [count(batch), count(rows), count(inner)]);
  const b = ordered(right, [...batch, ...inner, ...columns], [count(batch), count(inner), count(columns)]);
  const letters = [...batch, ...rows, ...columns];
  return { x: reshape(matmul(a, b), letters.map(sizeOf), "einsum"), letters };
}
