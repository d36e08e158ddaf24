// A small fine-tuning run with a folder, which the tests kill, starve of room, and begin again. Prints when it begins and a
// fingerprint of what it learnt.

import { createHash } from "node:crypto";
import { hub, lora } from "../../../lib/index.ts";

const [file, folder] = process.argv.slice(2) as [string, string];
const model = await hub.load(file);
const rows = Array.from({ length: 40 }, (_, i) =>
  Array.from({ length: 24 }, (_, t) => (7 * i + t * t) % 290),
);
const run = model.finetune(rows, {
  ...{ adapter: lora({ rank: 4 }), steps: 60, lr: 0.01, batch: 3, accumulate: 2, clip: 1, seed: 5 },
  ...{ heldOut: [[1, 2, 3, 4, 5, 6, 7]], evalEvery: 7, folder, saveEvery: 4 },
});
console.log("begun");
const { adapter } = await run;
const hash = createHash("sha256");
for (const part of adapter.parameters()) hash.update(await part.data());
for (const name of ["step", "loss", "evalLoss", "lr", "gradNorm"])
  hash.update(JSON.stringify([...run.history.getChild(name)!]));
const marks = run.journal.marks.map(({ step, kind, text }) => ({ step, kind, text }));
console.log(
  `answer ${JSON.stringify({ hash: hash.digest("hex"), state: run.state, marks, rows: run.history.numRows })}`,
);
