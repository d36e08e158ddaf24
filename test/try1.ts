import { readFileSync } from "node:fs";
import { awq, gptq, hub, perplexity, rtn, type Model } from "lensor";
const { cal, held } = JSON.parse(readFileSync("/tmp/w/methods-oracle/texts.json", "utf8")); cal.length = 12;
const model = await hub.load("smollm2-135m-instruct");
const ppl = perplexity(held.slice(0, Number(process.env.HELD ?? 64)));
console.log("base", await ppl(model));
const say = async (name: string, make: () => Promise<Model>) => {
  const t = performance.now();
  const q = await make();
  const s = (performance.now() - t) / 1000;
  const rows = q.report().rows;
  const mean = (k: string) => rows.reduce((a, r) => a + Number(r[k] ?? NaN), 0) / rows.length;
  console.log(name, "ppl", (await ppl(q)).toFixed(3), "s", s.toFixed(1), "err", mean("error").toFixed(4), "out", mean("outputError").toFixed(4), "loss", mean("loss").toFixed(5));
  q.dispose();
};
const g = { bits: 3, group: 64 };
const all: Record<string, () => Promise<Model>> = {
  rtn: () => model.quantize(rtn(g), { calibrate: cal }),
  gptq: () => model.quantize(gptq(g), { calibrate: cal }),
  gptqAct: () => model.quantize(gptq({ ...g, actOrder: true }), { calibrate: cal }),
  awq: () => model.quantize(awq(g), { calibrate: cal }),
};
for (const name of process.argv.slice(2)) await say(name, all[name]!);
