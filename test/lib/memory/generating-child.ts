// Many tokens of the small model in the file that it is given; nobody keeps its replies; prints resident memory on the way.
import { hub } from "../../../lib/model/hub.ts";

const TOKENS = 20_000;
const model = await hub.load(process.argv[2]!);
const resident: number[] = [];
let made = 0;
// As many before it looks: the model is so small that JavaScript is still being compiled a second after the start.
for (let next = TOKENS + TOKENS / 10; made < 2 * TOKENS; ) {
  const reply = await model.generate("the and", { maxTokens: 200, temperature: 1, seed: made });
  made += reply.tokens.length;
  if (made < next) continue;
  resident.push(process.memoryUsage().rss);
  next += TOKENS / 10;
}
console.log(JSON.stringify({ resident, last: made }));
