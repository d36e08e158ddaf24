// Encoding by words: byte-level BPE merges within the words that its rules cut a text into and never across, so a word's ids
// are the same wherever it stands. Most words of a text have come before: they are looked up. Equal to the slow way, which
// makes every new word.

import { stepsOf, type TokenizerParts } from "./parts.ts";

/** Words that are remembered: those of natural text are fewer; of noise the memory begins anew. */
const MOST = 1 << 18;
/** A word longer than this hardly comes twice. */
const LONG = 64;

interface Split {
  readonly type?: string;
  readonly pattern?: { readonly Regex?: string };
  readonly behavior?: string;
  readonly invert?: boolean;
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
}

export class WordEncoder {
  readonly #added: RegExp | undefined;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #rules: readonly RegExp[];
  readonly #slow: (text: string) => readonly number[];
  #known = new Map<string, readonly number[]>();

  private constructor(
    parts: TokenizerParts,
    rules: readonly RegExp[],
    slow: (text: string) => readonly number[],
  ) {
    const added = [...parts.added]
      .map((id) => [parts.tokens[id]!, id] as const)
      .filter(([text]) => text !== "");
    this.#ids = new Map(added);
    // The leftmost is cut out first, the longest of those that begin there.
    const escaped = [...this.#ids.keys()]
      .sort((a, b) => b.length - a.length)
      .map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
    this.#added = escaped.length > 0 ? new RegExp(escaped.join("|"), "gu") : undefined;
    this.#rules = rules;
    this.#slow = slow;
  }

  /** undefined where the rules do more than cut: a normalizer looks across words. */
  static of(parts: TokenizerParts, slow: (text: string) => readonly number[]): WordEncoder | undefined {
    const pre = stepsOf(parts) as readonly Split[];
    const last = pre.at(-1);
    const cuts = pre.slice(0, -1);
    const bytes = last?.type === "ByteLevel" && !last.add_prefix_space && !last.use_regex;
    const plain = ({ type, pattern, behavior, invert }: Split) =>
      type === "Split" && typeof pattern?.Regex === "string" && behavior === "Isolated" && !invert;
    if (parts.normalizer || !bytes || cuts.length === 0 || !cuts.every(plain)) return undefined;
    try {
      const rules = cuts.map(({ pattern }) => new RegExp(pattern!.Regex!, "gu"));
      return new WordEncoder(parts, rules, slow);
    } catch {
      // A pattern in another dialect: the slow way has its own reading of it.
      return undefined;
    }
  }

  encode(text: string): number[] {
    const out: number[] = [];
    if (!this.#added) {
      this.#cut(text, 0, out);
      return out;
    }
    let at = 0;
    for (const { 0: token, index } of text.matchAll(this.#added)) {
      if (index > at) this.#cut(text.slice(at, index), 0, out);
      out.push(this.#ids.get(token)!);
      at = index + token.length;
    }
    if (at < text.length) this.#cut(at === 0 ? text : text.slice(at), 0, out);
    return out;
  }

  /** What a rule matches stands alone, and so does what is between two matches. */
  #cut(piece: string, rule: number, out: number[]): void {
    const pattern = this.#rules[rule];
    if (!pattern) {
      this.#word(piece, out);
      return;
    }
    const words = piece.match(pattern);
    if (!words) {
      this.#cut(piece, rule + 1, out);
      return;
    }
    let covered = 0;
    for (const word of words) covered += word.length;
    if (covered === piece.length) {
      // Mostly the matches are all there is, and nobody needs to know where they are.
      for (const word of words) if (word !== "") this.#cut(word, rule + 1, out);
      return;
    }
    let at = 0;
    for (const { 0: word, index } of piece.matchAll(pattern)) {
      if (index > at) this.#cut(piece.slice(at, index), rule + 1, out);
      if (word !== "") this.#cut(word, rule + 1, out);
      at = index + word.length;
    }
    if (at < piece.length) this.#cut(piece.slice(at), rule + 1, out);
  }

  #word(word: string, out: number[]): void {
    let ids = this.#known.get(word);
    if (!ids) {
      ids = this.#slow(word);
      if (word.length <= LONG) {
        if (this.#known.size >= MOST) this.#known = new Map();
        // A copy: a part of a text would keep the whole text in memory.
        this.#known.set(word.length < 13 ? word : Buffer.from(word).toString(), ids);
      }
    }
    for (const id of ids) out.push(id);
  }
}
