// What there is of Deno in a cell: `Deno.jupyter`, the display helpers that its notebooks are written with.
// Relies on display.ts and host.ts. Everything else of Deno is a clear error: these cells run on Node.

import { readFileSync } from "node:fs";
import { bundleOf, canDisplay, plainText } from "./display.ts";
import { host } from "./host.ts";
import { emit, type MimeBundle } from "./link.ts";
import { currentRun } from "./run.ts";
import { flush } from "./streams.ts";

const $display = Symbol.for("Jupyter.display");

interface Displayable {
  [$display](): MimeBundle;
}

interface DisplayOptions {
  /** The value is a MIME bundle already. */
  raw?: boolean;
  /** Replaces what was shown under `display_id`. */
  update?: boolean;
  display_id?: string;
}

/** A tag for templates, which also takes a text alone. */
function tag(type: string) {
  return (strings: TemplateStringsArray | string, ...values: unknown[]): Displayable => {
    const text = typeof strings === "string" ? strings : String.raw({ raw: strings }, ...values);
    return { [$display]: () => ({ [type]: text }) };
  };
}

/** A PNG or JPEG picture, by its path or its bytes. */
function image(source: string | URL | Uint8Array): Displayable {
  const bytes = source instanceof Uint8Array ? source : readFileSync(source);
  const type = pictureType(bytes);
  if (!type)
    throw new TypeError(
      "Deno.jupyter.image: expected a PNG or JPEG picture, and these bytes begin like neither.",
    );
  return { [$display]: () => ({ [type]: Buffer.from(bytes).toString("base64") }) };
}

function pictureType(bytes: Uint8Array): string | undefined {
  const begins = (...start: number[]): boolean => start.every((byte, i) => bytes[i] === byte);
  if (begins(0x89, 0x50, 0x4e, 0x47)) return "image/png";
  return begins(0xff, 0xd8, 0xff) ? "image/jpeg" : undefined;
}

/** The MIME bundle of a value: its own, or that of the libraries Deno knows by their shape. */
async function format(value: unknown): Promise<MimeBundle> {
  if (canDisplay(value)) return (await bundleOf(value)) ?? {};
  if (value instanceof Uint8Array) {
    const type = pictureType(value);
    if (type) return { [type]: Buffer.from(value).toString("base64") };
  }
  if (typeof value === "object" && value !== null) {
    const { toSpec, outerHTML } = value as { toSpec?: unknown; outerHTML?: unknown };
    // Vega-Lite's API, and elements of a DOM.
    if (typeof toSpec === "function")
      return { "application/vnd.vegalite.v5+json": (toSpec as () => unknown).call(value) };
    if (typeof outerHTML === "string")
      return { [/^\s*<svg\b/i.test(outerHTML) ? "image/svg+xml" : "text/html"]: outerHTML };
  }
  return { "text/plain": plainText(value) };
}

async function display(value: unknown, { raw, update, display_id: id }: DisplayOptions = {}): Promise<void> {
  const bundle = raw ? (value as MimeBundle) : await format(value);
  if (!update) host.display(bundle, id === undefined ? {} : { id });
  else if (id !== undefined) host.update(id, bundle);
  else throw new TypeError("Deno.jupyter.display: to update, it needs the display_id of what is shown.");
}

/** Of Deno's low-level messages those that say something to the cell's output. */
async function broadcast(type: string, content: Record<string, unknown>): Promise<void> {
  const { data, transient } = content as { data?: MimeBundle; transient?: { display_id?: string } };
  const display_id = transient?.display_id;
  if (type === "display_data") return display(data, { raw: true, display_id });
  if (type === "update_display_data") return display(data, { raw: true, update: true, display_id });
  if (type !== "clear_output")
    throw new Error(
      `Deno.jupyter.broadcast: "${type}" is not here; display_data, update_display_data and clear_output are.`,
    );
  flush();
  emit({ event: "clear", run: currentRun()?.id ?? 0, wait: content.wait === true });
}

const jupyter = {
  $display,
  broadcast,
  display,
  format,
  html: tag("text/html"),
  image,
  md: tag("text/markdown"),
  svg: tag("image/svg+xml"),
};

/** What a cell's free name `Deno` means. */
export const deno: object = new Proxy(
  { jupyter },
  {
    get(target, name) {
      if (name === "jupyter" || typeof name === "symbol") return Reflect.get(target, name);
      throw new Error(
        `Deno.${name} is not here: these cells run on Node ${process.versions.node}. Of Deno they have the display helpers, ` +
          "Deno.jupyter; for files, processes and the network there are node:fs, node:child_process and fetch.",
      );
    },
  },
);
