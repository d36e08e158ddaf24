// What the language server says of a name or a call, in the words of a notebook: without its own file names and import marks.
// Pure: Markdown in, Markdown out, and plain text for front ends that have no more.

type Markup = string | { readonly value: string };

export interface Hover {
  readonly contents: Markup | readonly Markup[];
}

export interface SignatureHelp {
  readonly signatures: readonly {
    readonly label: string;
    readonly documentation?: Markup;
    readonly activeParameter?: number | null;
    readonly parameters?: readonly {
      readonly label: string | readonly [number, number];
      readonly documentation?: Markup;
    }[];
  }[];
  readonly activeSignature?: number | null;
  readonly activeParameter?: number | null;
}

const MOST_CHARACTERS = 20_000;
const MOST_OVERLOADS = 8;

/** The type and the documentation of a name. One that comes from another cell is shown as it stands there. */
export function hoverText({ contents }: Hover): string {
  return [contents]
    .flat()
    .map(textOf)
    .join("\n\n")
    .replace(/^\(alias\) /gm, "")
    .replace(/\nimport [\p{ID_Continue}$]+(?=\n```)/gu, "")
    .replace(/import\("[^"]*lensor-cell-\d+(?:\.ts)?"\)\./g, "")
    .slice(0, MOST_CHARACTERS);
}

/** The signatures of a call, the one that fits first, and what its parameter at the cursor is for. */
export function signatureText({ signatures, activeSignature, activeParameter }: SignatureHelp): string {
  const active = signatures[activeSignature ?? 0];
  if (!active) return "";
  const others = signatures.filter((one) => one !== active).slice(0, MOST_OVERLOADS);
  const parameter = active.parameters?.[active.activeParameter ?? activeParameter ?? 0];
  const name =
    parameter &&
    (typeof parameter.label === "string" ? parameter.label : active.label.slice(...parameter.label));
  const about = [parameter?.documentation && textOf(parameter.documentation)].filter(Boolean);
  return [
    `\`\`\`ts\n${[active, ...others].map(({ label }) => label).join("\n")}\n\`\`\``,
    name ? [`\`${name}\``, ...about].join(" — ") : "",
    active.documentation ? textOf(active.documentation) : "",
  ]
    .filter(Boolean)
    .join("\n\n")
    .slice(0, MOST_CHARACTERS);
}

/** Markdown without its marks, for a terminal. */
export function plain(markdown: string): string {
  return markdown
    .replace(/^```.*\n?/gm, "")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function textOf(markup: Markup): string {
  return typeof markup === "string" ? markup : markup.value;
}
