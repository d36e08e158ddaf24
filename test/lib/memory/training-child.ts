// Many steps of a small network whose tensors nobody disposes of; prints resident memory on the way.

import { tensor } from "../../../lib/tensor/index.ts";
import { optim } from "../../../lib/train/optim/index.ts";

const STEPS = 10_000;
const x = tensor.randn([32, 16], { seed: 1 });
const y = tensor.randn([32, 4], { seed: 2 });
const first = tensor.randn([16, 32], { seed: 3 }).requiresGrad();
const second = tensor.randn([32, 4], { seed: 4 }).requiresGrad();
const adam = optim.adamw([first, second], { lr: 1e-3 });
const resident: number[] = [];
let last = 0;
for (let step = 1; step <= STEPS; step++) {
  const loss = x.matmul(first).relu().matmul(second).sub(y).pow(2).mean();
  adam.zeroGrad();
  loss.backward();
  adam.step();
  if (step % 100 === 0) last = (await loss.item()) as number;
  if (step % (STEPS / 10) === 0) resident.push(process.memoryUsage().rss);
}
console.log(JSON.stringify({ resident, last }));
