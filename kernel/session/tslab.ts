// What notebooks written for tslab import as "tslab": its display calls, shown by this kernel.
// Relies on host.ts. Has tslab's names and arguments, and nothing else of it.

import { createRequire } from "node:module";
import { host } from "./host.ts";
import { packageRoot } from "./root.ts";

type Show = (type: string, data: string | Uint8Array) => void;

/** One call a kind of content. */
export interface Display {
  javascript(text: string): void;
  html(text: string): void;
  markdown(text: string): void;
  latex(text: string): void;
  svg(text: string): void;
  png(bytes: Uint8Array): void;
  jpeg(bytes: Uint8Array): void;
  gif(bytes: Uint8Array): void;
  pdf(bytes: Uint8Array): void;
  text(text: string): void;
  raw(contentType: string, data: string | Uint8Array): void;
}

function displayBy(raw: Show): Display {
  const as =
    (type: string) =>
    (data: string | Uint8Array): void =>
      raw(type, data);
  return {
    javascript: as("text/javascript"),
    html: as("text/html"),
    markdown: as("text/markdown"),
    latex: as("text/latex"),
    svg: as("image/svg+xml"),
    png: as("image/png"),
    jpeg: as("image/jpeg"),
    gif: as("image/gif"),
    pdf: as("application/pdf"),
    text: as("text/plain"),
    raw,
  };
}

export const display: Display = displayBy((type, data) => {
  host.display({ [type]: data });
});

/** A place of its own in the output: each of its calls replaces what it showed before. */
export function newDisplay(): Display {
  let id: string | undefined;
  return displayBy((type, data) => {
    if (id === undefined) id = host.display({ [type]: data });
    else host.update(id, { [type]: data });
  });
}

export const versions: { readonly tslab: string; readonly typescript: string; readonly node: string } = {
  tslab: `lensor ${versionOf("lensor")}`,
  typescript: versionOf("typescript"),
  node: process.version,
};

export default { display, newDisplay, versions };

function versionOf(name: string): string {
  const manifest = name === "lensor" ? "./package.json" : `${name}/package.json`;
  try {
    return (createRequire(`${packageRoot()}/package.json`)(manifest) as { version: string }).version;
  } catch {
    return "none";
  }
}
