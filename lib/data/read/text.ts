// Plain text: a row, with the column `text`, for each line, each paragraph (what empty lines stand between), or each file.

import { basename } from "node:path";
import { LensorError } from "../../errors.ts";
import { type Format, Gathering } from "./format.ts";
import { linesOf } from "./lines.ts";

/** Characters of a row at most. */
const ROW_MOST = 256 << 20;

export const text: Format = async function* (path, settings, log) {
  const { by = "line" } = settings;
  const gathering = new Gathering();
  let open: string[] = [];
  let length = 0;
  const close = () => {
    const whole = open.join("\n");
    [open, length] = [[], 0];
    if (whole !== "")
      gathering.add(by === "file" ? { file: basename(path), text: whole } : { text: whole }, whole.length);
  };
  const cutShort = (lines: number, problem: string) =>
    log.aside({ file: path, line: lines + 1, problem, text: "" });
  for await (const lines of linesOf(path, settings, cutShort)) {
    for (const { number, text: line, problem, raw } of lines) {
      if (line === undefined) log.aside({ file: path, line: number, problem: problem!, text: raw! });
      else if (by === "line") gathering.add({ text: line }, line.length);
      else if (by === "paragraph" && line.trim() === "") close();
      else {
        open.push(line);
        length += line.length + 1;
        if (length > ROW_MOST)
          throw new LensorError(`${path}: a ${by} of more than ${ROW_MOST >> 20} million characters`, {
            fix: `Read it in smaller pieces: data.read(path, { by: "${by === "file" ? "paragraph" : "line"}" }).`,
          });
      }
      if (gathering.isFull) yield gathering.take();
    }
  }
  close();
  yield gathering.take();
};
