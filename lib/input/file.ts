// Files from the person's own machine. Relies on input.ts. What a file holds comes through the browser: big ones are better
// read from disk by their path.

import { LensorError } from "../errors.ts";
import { checkFlag, checkNames, checkNumber, describe } from "../options.ts";
import { formatBytes } from "../plot/format.ts";
import { control, plainText, style } from "./definition.ts";
import { checkLabel, Input, type ReadInput, readOnly } from "./input.ts";

export interface FileOptions {
  /** What the browser offers to choose: endings and MIME types, `.csv,.jsonl`; by default any. */
  accept?: string;
  /** Whether several may be chosen at once; by default one. */
  multiple?: boolean;
  /** All files together, in bytes, up to 50,000,000; by default 10,000,000, which is as much as a Jupyter server takes unless it is told otherwise. */
  maxBytes?: number;
}

/** A file that a person chose. What it holds comes through the browser: a big one is better read from disk, by its path. */
export interface ChosenFile {
  /** As it is called on the person's machine, without its folder. */
  name: string;
  /** Its MIME type, as the browser knows it; may be empty. */
  type: string;
  /** In bytes. */
  size: number;
  /** What it holds. */
  bytes: Uint8Array;
}

const MOST_FILES = 100;
const MOST_BYTES = 50_000_000;

/**
 * A button to choose files with: `value` is a list of what was chosen, empty at first.
 * @example const corpus = input.file("corpus", { accept: ".txt" }); new TextDecoder().decode(corpus.value[0]?.bytes)
 */
export function file(label: string, options: FileOptions = {}): ReadInput<ChosenFile[]> {
  const call = "input.file";
  checkLabel(call, label);
  checkNames(call, options, ["accept", "multiple", "maxBytes"]);
  const { accept = "", multiple = false, maxBytes = 10_000_000 } = options;
  if (typeof accept !== "string" || accept.length > 1000)
    throw new LensorError(`${call}: accept is wrong`, {
      expected: 'a text such as ".csv,.jsonl"',
      got: describe(accept),
    });
  checkFlag(call, "multiple", multiple);
  checkNumber(call, "maxBytes", maxBytes, { least: 1, most: MOST_BYTES, whole: true });
  const own = { accept, button_style: "", error: "", icon: "upload", multiple, tooltip: label, value: [] };
  const model = control("FileUpload", label, own);
  const part = {
    model,
    style: style("Button", { button_color: null, ...plainText }),
    layout: { width: "auto" },
    rules: { error: { type: "page" as const } },
  };
  const rule = { type: "files" as const, most: multiple ? MOST_FILES : 1, bytes: maxBytes };
  return new Input<ChosenFile[]>(
    { kind: "file", label, key: "value", value: [], rule, parts: [part] },
    {
      decode: (state) =>
        (state as ChosenFile[]).map(({ name, type, size, bytes }) => ({ name, type, size, bytes })),
      encode: () => readOnly(label, "has what was chosen in the page"),
      text: (files) => files.map(({ name, size }) => `${name} (${formatBytes(size)})`).join(", ") || "none",
    },
  );
}
