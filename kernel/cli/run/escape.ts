// Text into HTML, and terminal colours into spans. Everything that is not markup on purpose goes through here.

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** JSON that can stand inside a script element: no `</script>` and no line separators. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(/</g, "\\u003c")
    .replace(/\u2028/g, "\\u2028")
    .replace(/\u2029/g, "\\u2029");
}

const ESCAPE = String.fromCharCode(27);
const SEQUENCE = new RegExp(`${ESCAPE}\\[([\\d;]*)([A-Za-z])`, "g");

export function stripAnsi(text: string): string {
  return text.replace(SEQUENCE, "");
}

/** What a terminal shows in the end: a carriage return goes back to the line's start, and what follows writes over it. */
export function overwritten(text: string): string {
  const line = (written: string): string =>
    written.split("\r").reduce((before, part) => part + before.slice(part.length));
  return text.includes("\r") ? text.replaceAll("\r\n", "\n").split("\n").map(line).join("\n") : text;
}

/** Bold, faint and the sixteen colours; other sequences vanish. */
export function ansiToHtml(text: string): string {
  let html = "";
  let end = 0;
  let open = false;
  for (const match of text.matchAll(SEQUENCE)) {
    html += escapeHtml(text.slice(end, match.index));
    end = match.index + match[0].length;
    if (match[2] !== "m") continue;
    if (open) html += "</span>";
    const classes = match[1]!
      .split(";")
      .filter((code) => /^([12]|3[0-7]|9[0-7])$/.test(code))
      .map((code) => `a${code}`);
    open = classes.length > 0;
    if (open) html += `<span class="${classes.join(" ")}">`;
  }
  return html + escapeHtml(text.slice(end)) + (open ? "</span>" : "");
}
