/** Our side of a benchmark: see side.ts. Through the library's public interface, as a cell would call it. */
import { hub } from "../../lib/index.ts";
import { answer, task, textIds } from "./side.ts";

const { what, file, context: length, tokens, compute } = task();
const model = await hub.load(file);
const prompt = textIds(length);

if (what === "prefill") {
  await model.prefill(prompt.slice(0, 32), { compute });
  const start = performance.now();
  await model.prefill(prompt, { compute });
  answer((prompt.length / (performance.now() - start)) * 1000);
} else {
  // All of the prompt but its last token: generating n tokens is then n passes of one token each.
  const cache = await model.prefill(prompt.slice(0, -1), { compute });
  const start = performance.now();
  const reply = await model.generate(prompt.slice(-1), { cache, maxTokens: tokens, temperature: 0, compute });
  const seconds = (performance.now() - start) / 1000;
  answer(reply.tokens.length / seconds, reply.tokens);
}
