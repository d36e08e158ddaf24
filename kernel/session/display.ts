// What a value looks like in a notebook: its own MIME bundle where it has one, else the text Node would print.
// Relies on the display protocol `Symbol.for("Jupyter.display")`. Never runs getters.

import { inspect } from "node:util";
import type { MimeBundle } from "./link.ts";

const DISPLAY = Symbol.for("Jupyter.display");
const MAX_TEXT = 100_000;

type Displayable = { [DISPLAY](): unknown };

export function canDisplay(value: unknown): value is Displayable {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as Partial<Displayable>)[DISPLAY] === "function";
}

/** The text a value has in Node's console, capped so that no output can drown a notebook. */
export function plainText(value: unknown): string {
  let text: string;
  try {
    text = inspect(value, { depth: 3, maxArrayLength: 100, maxStringLength: 20_000, breakLength: 100 });
  } catch (error) {
    text = `[a value whose inspection failed: ${String(error)}]`;
  }
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, MAX_TEXT)}\n... ${text.length - MAX_TEXT} more characters`;
}

type Shown = MimeBundle | undefined;

/** The bundle to show for a value, at once where the value has it at once; undefined when it asked to show nothing. */
export function bundleOf(value: unknown): Shown | Promise<Shown> {
  if (!canDisplay(value)) return { "text/plain": plainText(value) };
  const check = (bundle: unknown): Shown =>
    bundle === undefined || bundle === null ? undefined : checkBundle(bundle);
  const bundle = value[DISPLAY]();
  return bundle instanceof Promise ? bundle.then(check) : check(bundle);
}

/** A bundle as the protocol carries it: an object from MIME types to JSON, bytes in base64. */
export function checkBundle(bundle: unknown): MimeBundle {
  if (typeof bundle !== "object" || bundle === null || Array.isArray(bundle))
    throw new TypeError(
      `A display needs a MIME bundle, for instance { "text/html": "<b>hi</b>" }; this one is ${plainText(bundle).slice(0, 200)}.`,
    );
  return Object.fromEntries(
    Object.entries(bundle)
      .filter(([, data]) => data !== undefined)
      .map(([type, data]) => [
        type,
        data instanceof Uint8Array ? Buffer.from(data).toString("base64") : data,
      ]),
  );
}
