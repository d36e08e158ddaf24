// How deep a text nests, estimated from its characters alone: the parser is native code without a limit of its own, and a
// text of ten thousand brackets would end the process that parses it. Relies on nothing. Rather counts too much than too
// little: strings and comments count as code, and a chain of conditionals, assignments or `else if` counts as nesting.

/** Far deeper than people write, and far from what the parser and the passes after it can take. */
const MOST = 1000;

/** Words and marks after which the same construct may start again, inside itself. */
const LINK =
  /^(?:else|new|do|while|for|if|with|keyof|infer|unique|readonly|typeof|void|delete|await|yield|async|\?|:|=|=>|<)$/;
const TOKEN = /[A-Za-z_$][\w$]*|=>|[^\s\w]|\n/g;

/** Where the text comes to nest too deep; undefined for any text that a parser can be given. */
export function tooDeepAt(source: string): number | undefined {
  // Each level takes a character at least.
  if (source.length <= MOST) return undefined;
  // How many links of a chain are open at each level of brackets; and all of them, with the brackets.
  const chains = [0];
  let depth = 0;
  let last = "";
  let newLine = false;
  const reset = (): void => {
    depth -= chains.at(-1)!;
    chains[chains.length - 1] = 0;
  };
  for (const { 0: token, index } of source.matchAll(TOKEN)) {
    if (token === "\n") {
      newLine = true;
      continue;
    }
    const link = LINK.test(token);
    // A chain goes on in the next line where the line before, or the next, cannot stand alone.
    if (newLine && !LINK.test(last) && (!link || token === "<")) reset();
    if (last === ";" && token !== "else") reset();
    newLine = false;
    if ("([{".includes(token)) {
      chains.push(0);
      depth++;
    } else if (")]}".includes(token)) {
      if (chains.length > 1) depth -= 1 + chains.pop()!;
    } else if (token === ",") reset();
    else if (link) {
      chains[chains.length - 1]!++;
      depth++;
    }
    if (depth > MOST) return index;
    last = token;
  }
  return undefined;
}
