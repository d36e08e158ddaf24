// Adapters as if they had learnt: every number is something, the same at every call.

import { type Adapter, tensor } from "../../../lib/index.ts";

export function disturbed(adapter: Adapter, by = 0.1): Adapter {
  adapter.parameters().forEach((part, i) => {
    const count = part.shape.reduce((a, b) => a * b);
    const values = Float32Array.from({ length: count }, (_, k) => by * Math.sin(3 * k + i + 1));
    part.assign(part.add(tensor(values, { shape: part.shape })));
  });
  return adapter;
}
