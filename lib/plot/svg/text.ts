// Text of a figure: Plotly's small HTML (bold, italics, line ends, colours of spans) as lines of runs, measured, and written as
// SVG. What is written comes from strangers: tags that are not known are text, text is escaped, and what XML cannot hold
// goes.

import { type Face, lengthOf } from "./letters.ts";
import { colour, type Json, numberOr, words } from "./read.ts";

/** One stretch of one look. */
interface Run {
  text: string;
  isBold: boolean;
  isItalic: boolean;
  colour?: string;
  /** Of the size around it. */
  scale: number;
  /** Up, of the size around it. */
  rise: number;
}

export interface Font extends Face {
  colour: string;
}

/** Text ready to be placed. */
export interface Block {
  lines: Run[][];
  font: Font;
  width: number;
  height: number;
}

/** Longer text than this is a mistake or an attack. */
const MOST = 400;
const MOST_LINES = 40;
export const LINE = 1.3;

/** Families whose letters are as wide as letters.ts says, on each system one that it has. */
export const FAMILIES = "Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif";
const MONOSPACE = "Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace";

const NAMED: Readonly<Record<string, string>> = {
  ...{ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", times: "×", plusmn: "±", deg: "°" },
  ...{ mu: "μ", hellip: "…", ndash: "–", mdash: "—", middot: "·", rarr: "→", larr: "←" },
};

export function fontOf(given: Json, otherwise: Font): Font {
  const family = words(given.family);
  const weight = words(given.weight);
  return {
    size: Math.min(60, Math.max(1, numberOr(given.size, otherwise.size))),
    isMono: family ? /mono|menlo|consolas|courier/i.test(family) : otherwise.isMono === true,
    isBold: weight === "bold" || Number(weight) >= 600 || (weight === "" && otherwise.isBold === true),
    colour: colour(given.color, otherwise.colour),
  };
}

export function block(text: string, font: Font): Block {
  const lines = linesOf(text);
  return {
    lines,
    font,
    width: Math.max(0, ...lines.map((line) => lineWidth(line, font))),
    height: heightOf(lines.length, font),
  };
}

const heightOf = (count: number, { size }: Font) => size * (1.2 + LINE * (count - 1));

const lineWidth = (line: readonly Run[], font: Font) =>
  line.reduce(
    (sum, run) =>
      sum +
      lengthOf(run.text, {
        ...font,
        size: font.size * run.scale,
        isBold: run.isBold || font.isBold === true,
      }),
    0,
  );

/** Those that Plotly knows; others are text, in both. */
const TAGS = new Set(["br", "b", "strong", "i", "em", "u", "s", "sub", "sup", "span", "a"]);

function linesOf(text: string): Run[][] {
  const look = { isBold: false, isItalic: false, scale: 1, rise: 0 };
  const open: { tag: string; before: Omit<Run, "text"> }[] = [];
  let now: Omit<Run, "text"> = look;
  const lines: Run[][] = [[]];
  for (const part of text.slice(0, MOST).split(/(<\/?[a-z][^<>]*>)/i)) {
    const [, close, tag = "", rest = ""] = /^<(\/?)([a-z]+)([^<>]*)>$/i.exec(part) ?? [];
    const name = tag.toLowerCase();
    if (!TAGS.has(name)) {
      const plain = part.replace(/[\r\n\t]+/g, " ");
      if (plain) lines.at(-1)!.push({ ...now, text: held(decoded(plain)) });
    } else if (name === "br") {
      if (lines.length < MOST_LINES) lines.push([]);
    } else if (close) {
      const at = open.findLastIndex((one) => one.tag === name);
      if (at >= 0) now = open.splice(at)[0]!.before;
    } else {
      open.push({ tag: name, before: now });
      now = { ...now, ...changeOf(name, rest) };
    }
  }
  return lines;
}

function changeOf(tag: string, attributes: string): Partial<Run> {
  if (tag === "b" || tag === "strong") return { isBold: true };
  if (tag === "i" || tag === "em") return { isItalic: true };
  if (tag === "sub") return { scale: 0.7, rise: -0.25 };
  if (tag === "sup") return { scale: 0.7, rise: 0.45 };
  const said = tag === "span" ? /color\s*:\s*([^;"']+)/i.exec(attributes)?.[1] : undefined;
  const one = colour(said, "");
  return one ? { colour: one } : {};
}

function decoded(text: string): string {
  return text.replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,8});/gi, (whole, name: string) => {
    if (!name.startsWith("#")) return NAMED[name.toLowerCase()] ?? whole;
    const code =
      name[1] === "x" || name[1] === "X" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "";
  });
}

/** Without what XML 1.0 forbids. */
const held = (text: string) =>
  text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");

/** For text and for attributes. */
export function escaped(text: string): string {
  return held(text)
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/'/g, "&#39;");
}

/** A tenth of a pixel is seen by nobody. */
export const px = (value: number): string => String(Math.round(value * 10) / 10);

export interface Place {
  x: number;
  y: number;
  /** Which part of the block stands at x, and which at y. */
  across: "start" | "middle" | "end";
  down: "top" | "middle" | "bottom";
  /** Degrees, clockwise, about the place. */
  angle?: number;
  /** How lines stand among one another; without it as the block does. */
  align?: "start" | "middle" | "end";
}

export function written(it: Block, place: Place): string {
  const { lines, font, width, height } = it;
  if (!lines.some((line) => line.some(({ text }) => text.trim()))) return "";
  const align = place.align ?? place.across;
  const left = place.x - { start: 0, middle: width / 2, end: width }[place.across];
  const x = left + { start: 0, middle: width / 2, end: width }[align];
  const top = place.y - { top: 0, middle: height / 2, bottom: height }[place.down];
  const baseline = (i: number) => top + font.size * (0.95 + LINE * i);
  const turn = place.angle ? ` transform="rotate(${px(place.angle)} ${px(place.x)} ${px(place.y)})"` : "";
  const mono = font.isMono ? ` font-family="${MONOSPACE}"` : "";
  const look = `font-size="${px(font.size)}" fill="${font.colour}"${font.isBold ? ' font-weight="bold"' : ""}${mono}${turn}`;
  return lines
    .map((line, i) => {
      const pieces = piecesOf(line, font);
      if (pieces.length === 0) return "";
      // A line in pieces begins at its left, whatever it is aligned to.
      const long = lineWidth(line, font);
      const isApart = pieces.some(({ isSign }) => isSign);
      const start = x - { start: 0, middle: long / 2, end: long }[align];
      const anchor = isApart || align === "start" ? "" : ` text-anchor="${align}"`;
      const text = isApart
        ? apart(pieces, font, start)
        : pieces.map((one, j) => runOf(one, font, pieces[j - 1])).join("");
      return `<text x="${px(isApart ? start : x)}" y="${px(baseline(i))}" ${look}${anchor}>${text}</text>`;
    })
    .join("");
}

/** What the Helvetica family has no letters for. */
const SIGNS =
  /([^\u0020-\u04ff\u1e00-\u1eff\u2009-\u2015\u2017-\u2026\u202f\u2030-\u203a\u2190-\u2195\u2202-\u221e\u2248\u2260-\u2265]+)/u;
const SIGN_FAMILIES = "'DejaVu Sans','Segoe UI Symbol','Apple Symbols','Arial Unicode MS',sans-serif";

interface Piece extends Run {
  isSign: boolean;
}

function piecesOf(line: readonly Run[], font: Font): Piece[] {
  if (font.isMono) return line.map((run) => ({ ...run, isSign: false }));
  return line.flatMap((run) =>
    run.text
      .split(SIGNS)
      .flatMap((text, i): Piece[] => (text ? [{ ...run, text, isSign: i % 2 === 1 }] : [])),
  );
}

/** Signs are placed by themselves: renderers that look for another family for one letter take it for all that stand with it. */
function apart(pieces: readonly Piece[], font: Font, start: number): string {
  let at = start;
  return pieces
    .map((piece, i) => {
      const before = pieces[i - 1];
      const x = before && (piece.isSign || before.isSign) ? at : undefined;
      at += lineWidth([piece], font);
      return runOf(piece, font, before, x);
    })
    .join("");
}

function runOf(run: Piece, font: Font, before: Piece | undefined, x?: number): string {
  const risen = before?.rise ?? 0;
  const look = [
    x !== undefined && `x="${px(x)}"`,
    run.isSign && `font-family="${SIGN_FAMILIES}"`,
    run.isBold && !font.isBold && 'font-weight="bold"',
    run.isItalic && 'font-style="italic"',
    run.colour && `fill="${run.colour}"`,
    run.scale !== 1 && `font-size="${px(font.size * run.scale)}"`,
    run.rise !== risen && `dy="${px((risen - run.rise) * font.size)}"`,
  ].filter(Boolean);
  return look.length === 0 ? escaped(run.text) : `<tspan ${look.join(" ")}>${escaped(run.text)}</tspan>`;
}
