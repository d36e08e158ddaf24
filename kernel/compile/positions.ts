// From a place in compiled code back to the place in the text the person wrote, through both source maps.
// Relies on Node's own SourceMap reader. Never computes anything until an error asks for it.

import { SourceMap, type SourceMapPayload } from "node:module";

/** One-based line and column, as editors and stack traces count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * Maps places back through the mappings of maps given in the order the text was compiled. Only the strings are kept, since
 * a session remembers every cell it ran; they are read when an error first asks.
 */
export function backwards(mappings: readonly (string | undefined)[]): (place: Place) => Place | undefined {
  let maps: SourceMap[] | undefined;
  return (place) => {
    maps ??= mappings
      .filter((text) => text !== undefined)
      .map(
        (text) =>
          new SourceMap({
            version: 3,
            sources: ["cell"],
            names: [],
            mappings: text,
          } as unknown as SourceMapPayload),
      )
      .reverse();
    let { line, column } = place;
    for (const map of maps) {
      const entry = map.findEntry(line - 1, column - 1);
      if (!("originalLine" in entry)) return undefined;
      line = entry.originalLine + 1;
      column = entry.originalColumn + 1;
    }
    return { line, column };
  };
}

/** The place of an offset in a text. */
export function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: offset - start + 1 };
}
