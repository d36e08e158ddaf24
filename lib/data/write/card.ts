// The card beside a written file: what is in it, from what it was made and how, what was left out and why. Markdown that people
// and Hugging Face's hub read. Holds counts and reasons, no texts: what was taken out stays out.

import { packageVersion } from "../../package.ts";
import { formatBytes, formatCount } from "../../plot/format.ts";
import type { Dataset } from "../dataset.ts";
import { inWords, type Reason } from "../log.ts";
import type { Record as Run } from "../pipeline.ts";
import type { Written } from "./index.ts";

export async function cardOf(dataset: Dataset, written: Omit<Written, "path">, record: Run): Promise<string> {
  const { stages, measure } = record;
  const fingerprint = await dataset.fingerprint();
  const last = stages.at(-1)!.after;
  const cell = (text: string) => text.replace(/[|\n]/g, " ").slice(0, 200);
  const count = (number: number) => formatCount(Math.round(number));
  const lines = [
    "---",
    `fingerprint: ${fingerprint}`,
    `sha256: ${written.sha256}`,
    `rows: ${written.rows}`,
    `lensor: ${packageVersion()}`,
    "---",
    "",
    `# ${count(written.rows)} rows, ${formatBytes(written.bytes)}`,
    "",
    `Made by lensor ${packageVersion()} from ${cell(dataset.source.name)}. ${count(last.length)} ${measure.unit} in \`${record.column}\`.`,
    "",
    "## Steps",
    "",
    `| step | options | rows in | rows out | ${measure.unit} out |`,
    "| --- | --- | ---: | ---: | ---: |",
    ...stages.map(({ log, before, after }, i) => {
      const rowsIn = i === 0 ? after.rows + log.brokenCount : before.rows;
      const options = Object.keys(log.options).length
        ? `\`${cell(inWords(log.options)).replaceAll("`", "'")}\``
        : "";
      return `| ${cell(log.name)} | ${options} | ${count(rowsIn)} | ${count(after.rows)} | ${count(after.length)} |`;
    }),
    ...section(
      "Left out",
      stages.map(({ log }) => [log.name, log.drops] as const),
      count,
    ),
    ...section(
      "Changed",
      stages.map(({ log }) => [log.name, log.changes] as const),
      count,
    ),
    ...(stages[0]!.log.brokenCount > 0
      ? ["", `${count(stages[0]!.log.brokenCount)} pieces of the input could not be read.`]
      : []),
  ];
  return `${lines.join("\n")}\n`;
}

function section(
  title: string,
  steps: readonly (readonly [name: string, reasons: readonly Reason[]])[],
  count: (number: number) => string,
): string[] {
  const rows = steps.flatMap(([name, reasons]) =>
    reasons.map(
      ({ reason, count: times }) => `| ${name} | ${reason.replace(/[|\n]/g, " ")} | ${count(times)} |`,
    ),
  );
  return rows.length
    ? ["", `## ${title}`, "", "| step | reason | count |", "| --- | --- | ---: |", ...rows]
    : [];
}
