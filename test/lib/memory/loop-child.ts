// 20,000 small operations whose results nobody disposes of, in one synchronous turn; prints resident memory on the way.
import { tensor } from "../../../lib/tensor/index.ts";

const x = tensor.randn([64, 64], { seed: 1 });
const resident: number[] = [];
const begin = performance.now();
for (let i = 0; i < 20_000; i++) {
  x.mul(2);
  if (i % 2000 === 1999) resident.push(process.memoryUsage().rss);
}
await x.sum().item();
resident.push(process.memoryUsage().rss);
console.log(JSON.stringify({ resident, seconds: (performance.now() - begin) / 1000 }));
