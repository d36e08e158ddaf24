// How wide text is, without a screen: the advance widths of the Helvetica family (Helvetica, Arial and Liberation Sans agree in
// them), in thousandths of the size, and one width for monospace. Letters beyond Latin are taken as wide as they come at most.

// From the space to the tilde.
const PLAIN = read(
  "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556*10 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584",
);
const BOLD = read(
  "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556*10 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584",
);
/** Signs that our figures write. */
const SIGNS: Readonly<Record<string, number>> = {
  ...{ "\u00a0": 278, "\u202f": 200, "\u2009": 200, "·": 278, "“": 333, "”": 333, "‘": 222, "’": 222 },
  ...{ "…": 1000, "–": 556, "—": 1000, "−": 584, "×": 584, "±": 549, "≤": 549, "≥": 549, "→": 1000 },
  ...{
    "←": 1000,
    "↓": 500,
    "↑": 500,
    "●": 770,
    "‖": 500,
    "⏎": 838,
    "�": 1026,
    "²": 333,
    "³": 333,
    µ: 576,
    "∞": 713,
  },
};
const MONOSPACE = 602;

function read(widths: string): number[] {
  return widths.split(" ").flatMap((one) => {
    const [width, times = "1"] = one.split("*");
    return Array.from({ length: Number(times) }, () => Number(width));
  });
}

export interface Face {
  size: number;
  isMono?: boolean;
  isBold?: boolean;
}

/** Pixels. */
export function lengthOf(text: string, { size, isMono = false, isBold = false }: Face): number {
  let sum = 0;
  for (const letter of text) sum += widthOf(letter, isMono, isBold);
  return (sum * size) / 1000;
}

function widthOf(letter: string, isMono: boolean, isBold: boolean): number {
  const code = letter.codePointAt(0)!;
  if (code >= 0x300 && code < 0x370) return 0;
  // Chinese, Japanese, Korean, and pictures.
  if ((code >= 0x2e80 && code < 0xfb00) || (code >= 0xfe30 && code < 0xffe7) || code >= 0x1f000) return 1000;
  if (isMono) return MONOSPACE;
  return (isBold ? BOLD : PLAIN)[code - 32] ?? SIGNS[letter] ?? (code < 0x250 ? 611 : 760);
}
