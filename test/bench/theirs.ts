/** The peer's side of a benchmark: see side.ts. Greedy decode through node-llama-cpp's own public interface. */
import { importPeer } from "./peer.ts";
import { answer, root, task, textIds } from "./side.ts";

const { what, file, threads, context: length, tokens } = task();
const peer = await importPeer(root);
const llama = await peer.getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
const context = await model.createContext({
  contextSize: length + tokens + 8,
  batchSize: 512,
  threads: { ideal: threads, min: threads },
});
const sequence = context.getSequence();
const prompt = textIds(length);

if (what === "prefill") {
  await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(0, 32));
  await sequence.clearHistory();
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(prompt);
  answer((prompt.length / (performance.now() - start)) * 1000);
} else {
  const made: number[] = [];
  let start = 0;
  // The first token comes with the prefill; the clock starts there.
  for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    if (made.length === 0) start = performance.now();
    made.push(token);
    if (made.length > tokens) break;
  }
  answer(((made.length - 1) / (performance.now() - start)) * 1000, made);
}
process.exit(0);
