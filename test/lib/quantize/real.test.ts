// What the issue asks of quantization, on the embedded model with LENSOR_FULL=1: at 3 and 2 bits GPTQ and AWQ beat rounding on
// held-out text and in tr(dW H dW^T), and a rotation alone keeps the logits.

import { beforeAll, describe, expect, it } from "vitest";
import { awq, gptq, hub, type Model, rotate, rtn } from "../../../lib/index.ts";
import { calibrate, chapters, surprise } from "../alice.ts";

const full = process.env.LENSOR_FULL === "1";

describe.runIf(full)("the embedded model", { timeout: 1_500_000 }, () => {
  let model: Model;
  const of = async (method: ReturnType<typeof rtn>) => {
    const small = await model.quantize(method, { calibrate });
    const found = {
      perplexity: await surprise(small),
      loss: small.report().rows.reduce((sum, { loss }) => sum + loss!, 0),
    };
    small.dispose();
    console.info(
      `${method.name} ${JSON.stringify(method.options)}: perplexity ${found.perplexity.toFixed(2)}, tr(dW H dW^T) ${found.loss.toPrecision(4)}`,
    );
    return found;
  };
  beforeAll(async () => {
    model = await hub.load("smollm2-135m-instruct");
    console.info(`as it came: perplexity ${(await surprise(model)).toFixed(2)}`);
  });

  it.each([3, 2])("at %i bits, looking at texts beats rounding", async (bits) => {
    const [plain, swept, scaled] = [
      await of(rtn({ bits, group: 64 })),
      await of(gptq({ bits, group: 64 })),
      await of(awq({ bits, group: 64 })),
    ];
    for (const one of [swept, scaled]) {
      expect(one.perplexity).toBeLessThan(plain.perplexity);
      expect(one.loss).toBeLessThan(plain.loss);
    }
  });

  it("a rotation alone keeps the logits to 1e-3 of the largest", async () => {
    const turned = await model.quantize(rotate());
    const text = chapters[4]![0]!.slice(0, 400);
    const [a, b] = [(await model.forward(text)).logits, (await turned.forward(text)).logits];
    const most = Number(await a.sub(b).abs().max().item()) / Number(await a.abs().max().item());
    console.info(`a rotation moves a logit by ${most.toExponential(1)} of the largest`);
    expect(most).toBeLessThan(1e-3);
  });
});
