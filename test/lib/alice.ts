// What compressed models are asked on: pieces of Alice's first chapters to calibrate on, of the fifth to be held out.

import { readFileSync } from "node:fs";
import { perplexity } from "../../lib/index.ts";

export const chapters = readFileSync(new URL("../../notebooks/alice.txt", import.meta.url), "utf8")
  .split(/^(?=CHAPTER )/m)
  .filter(Boolean)
  .map((chapter) => chapter.match(/[\s\S]{1,800}/g)!);

export const calibrate = chapters.slice(0, 4).flat().slice(0, 32);
export const surprise = perplexity(chapters[4]!.slice(0, 6));
