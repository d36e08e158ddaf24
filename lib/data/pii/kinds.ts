// What is personal in a text and how it is told, one kind a line: how it looks, and what proves it. Patterns take time in
// proportion to the text. A row of digits alone is never taken for a person's number: a check digit or its name proves it.

import {
  bsn,
  codiceFiscale,
  cpf,
  dni,
  iban,
  luhn,
  nhs,
  nir,
  pesel,
  routing,
  verhoeff,
} from "./check-digits.ts";

export interface Kind {
  /** What stands in the text's place: `[EMAIL]`. */
  readonly mark: string;
  readonly pattern: RegExp;
  /** Of a match without spaces, dots and hyphens, and as it stands. */
  readonly proves?: (plain: string, match: string) => boolean;
  /** Where the number proves too little: one of these words stands close before it. */
  readonly named?: RegExp;
  /** One of these stands right before what only looks like it. */
  readonly unless?: RegExp;
}

const bare = (text: string) => text.replace(/[ \-.]/g, "");

/** Ends of numbers: neither part of a longer number or word nor of a decimal. */
const BEGIN = "(?<![\\p{L}\\p{N}_]|[\\p{N}][.,\\-/]|[$€£#])";
const END = "(?![\\p{L}\\p{N}_]|[.,\\-/][\\p{N}])";
const number = (source: string) => new RegExp(BEGIN + source + END, "gu");

const CARD = /^(?:4|5[1-5]|2[2-7]|3[47]|6(?:011|5|4[4-9])|3(?:0[0-5]|[68])|35(?:2[89]|[3-8]))/;
const CARD_LENGTH: readonly [RegExp, readonly number[]][] = [
  [/^4/, [13, 16, 19]],
  [/^3[47]/, [15]],
  [/^3(?:0|[68])/, [14, 16]],
  [/^/, [16, 19]],
];
const IBAN_LENGTH: Record<string, number> = {
  ...{
    AD: 24,
    AE: 23,
    AL: 28,
    AT: 20,
    AZ: 28,
    BA: 20,
    BE: 16,
    BG: 22,
    BH: 22,
    BR: 29,
    BY: 28,
    CH: 21,
    CR: 22,
    CY: 28,
  },
  ...{
    CZ: 24,
    DE: 22,
    DK: 18,
    DO: 28,
    EE: 20,
    EG: 29,
    ES: 24,
    FI: 18,
    FO: 18,
    FR: 27,
    GB: 22,
    GE: 22,
    GI: 23,
    GL: 18,
  },
  ...{
    GR: 27,
    GT: 28,
    HR: 21,
    HU: 28,
    IE: 22,
    IL: 23,
    IQ: 23,
    IS: 26,
    IT: 27,
    JO: 30,
    KW: 30,
    KZ: 20,
    LB: 28,
    LC: 32,
  },
  ...{
    LI: 21,
    LT: 20,
    LU: 20,
    LV: 21,
    LY: 25,
    MC: 27,
    MD: 24,
    ME: 22,
    MK: 19,
    MR: 27,
    MT: 31,
    MU: 30,
    NL: 18,
    NO: 15,
  },
  ...{
    PK: 24,
    PL: 28,
    PS: 29,
    PT: 25,
    QA: 29,
    RO: 24,
    RS: 22,
    SA: 24,
    SC: 31,
    SE: 24,
    SI: 19,
    SK: 24,
    SM: 27,
    ST: 25,
  },
  ...{ SV: 28, TL: 23, TN: 24, TR: 26, UA: 29, VA: 22, VG: 24, XK: 20 },
};

/** An address of the internet that belongs to one machine: not a private, reserved or documentation one. */
function isPublic4(text: string): boolean {
  const [a, b, c] = text.split(".").map(Number) as [number, number, number];
  if (text.split(".").some((part) => Number(part) > 255 || (part.length > 1 && part[0] === "0")))
    return false;
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
  if ((a === 100 && b >= 64 && b < 128) || (a === 169 && b === 254) || (a === 172 && b >= 16 && b < 32))
    return false;
  if (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)))) return false;
  return !(
    (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) ||
    (a === 203 && b === 0 && c === 113)
  );
}

function isPublic6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half ? half.split(":") : []));
  if (halves.length === 2 ? groups.length > 7 : groups.length !== 8) return false;
  // Global addresses are 2000::/3; 2001:db8 is for documents.
  return /^[23][0-9a-f]{3}:/i.test(text) && !/^2001:0?db8:/i.test(text);
}

const SSN = /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/;
const near = (words: string) =>
  new RegExp(`(?:^|[^\\p{L}])(?:${words})[^\\p{L}\\p{N}]*(?:[\\p{L}.]+[^\\p{L}\\p{N}]+){0,3}$`, "iu");

export const KINDS: Readonly<Record<string, readonly Kind[]>> = {
  email: [
    {
      mark: "[EMAIL]",
      pattern:
        /(?<![\p{L}\p{N}._%+'*-])[\p{L}\p{N}_%+'*-]{1,64}(?:\.[\p{L}\p{N}_%+'*-]{1,64}){0,8}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}\p{L}{2,24}(?![\p{L}\p{N}])/gu,
      // A picture for fine screens: logo@2x.png.
      proves: (_, match) => !/@\d+x\.[a-z]{3,4}$/.test(match),
    },
  ],
  card: [
    {
      mark: "[CARD]",
      pattern: number("\\d{4}(?:[ \\-]?\\d){9,15}"),
      proves: (plain) =>
        CARD.test(plain) &&
        CARD_LENGTH.find(([head]) => head.test(plain))![1].includes(plain.length) &&
        luhn(plain),
    },
  ],
  iban: [
    {
      mark: "[IBAN]",
      pattern: number("[A-Z]{2}\\d{2}(?:[ \\-]?[A-Z0-9]){11,30}"),
      proves: (plain) => IBAN_LENGTH[plain.slice(0, 2)] === plain.length && iban(plain),
    },
  ],
  ip: [
    {
      mark: "[IP]",
      pattern: /(?<![\p{L}\p{N}.])\d{1,3}(?:\.\d{1,3}){3}(?![\p{L}\p{N}]|\.\d)/gu,
      proves: (_, match) => isPublic4(match),
      unless: /(?:version|section|chapter|release|firmware|clause|[^\p{L}]v|§)[^\p{L}\p{N}]*$/iu,
    },
    {
      mark: "[IP]",
      pattern: /(?<![\p{L}\p{N}:.])[0-9a-fA-F]{1,4}(?::{1,2}[0-9a-fA-F]{1,4}){1,7}(?:::)?(?![\p{L}\p{N}:])/gu,
      proves: (_, match) => isPublic6(match),
    },
  ],
  id: [
    { mark: "[ID]", pattern: number("\\d{3}-\\d{2}-\\d{4}"), proves: (plain) => SSN.test(plain) }, // United States, SSN
    {
      mark: "[ID]", // the same without hyphens
      pattern: number("\\d{9}"),
      proves: (plain) => SSN.test(plain),
      named: near("ssn|social security"),
    },
    {
      mark: "[ID]", // Canada, SIN
      pattern: number("\\d{3}[ \\-]\\d{3}[ \\-]\\d{3}"),
      proves: luhn,
      named: near("sin|social insurance"),
    },
    { mark: "[ID]", pattern: number("\\d{3}\\.\\d{3}\\.\\d{3}-\\d{2}"), proves: cpf }, // Brazil, CPF
    { mark: "[ID]", pattern: number("\\d{11}"), proves: cpf, named: near("cpf") },
    { mark: "[ID]", pattern: number("(?:\\d{8}|[XYZ]\\d{7})-?[A-Z]"), proves: dni }, // Spain, DNI and NIE
    {
      mark: "[ID]",
      pattern: number("[A-Z]{6}\\d{2}[A-EHLMPRST]\\d{2}[A-Z]\\d{3}[A-Z]"),
      proves: codiceFiscale,
    }, // Italy
    {
      mark: "[ID]", // France, NIR
      pattern: number("[12] ?\\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\\d) ?(?:\\d{2}|2[AB]) ?\\d{3} ?\\d{3} ?\\d{2}"),
      proves: nir,
    },
    { mark: "[ID]", pattern: number("\\d{11}"), proves: pesel, named: near("pesel") }, // Poland
    {
      mark: "[ID]",
      pattern: number("\\d{9}"),
      proves: bsn,
      named: near("bsn|burgerservicenummer|sofinummer"),
    }, // Netherlands
    {
      mark: "[ID]",
      pattern: number("[2-9]\\d{3}[ \\-]?\\d{4}[ \\-]?\\d{4}"),
      proves: verhoeff,
      named: near("aadhaar|aadhar|uid|uidai"),
    }, // India
    { mark: "[ID]", pattern: number("\\d{3}[ \\-]?\\d{3}[ \\-]?\\d{4}"), proves: nhs, named: near("nhs") }, // United Kingdom
    { mark: "[ID]", pattern: number("\\d{9}"), proves: routing, named: near("routing|aba|rtn") }, // United States, a bank
  ],
  phone: [
    {
      mark: "[PHONE]",
      // With a country: + or 00, one to three digits, then groups.
      pattern:
        /(?<![\p{L}\p{N}+])(?:\+|00(?=[1-9]\d{0,2}[ .\-/]))[1-9]\d{0,2}(?:[ .\-/]?\(?\d{1,5}\)?){2,6}(?![\p{L}\p{N}])/gu,
      proves: (_, match) => between(match.replace(/\D/g, "").replace(/^00/, "").length, 8, 15),
    },
    {
      mark: "[PHONE]",
      // North America's: three, three and four with the same sign between, area and exchange from 2 to 9.
      pattern: number("(?:1[ .\\-])?[2-9]\\d{2}([ .\\-])[2-9]\\d{2}\\1\\d{4}"),
    },
    {
      mark: "[PHONE]",
      pattern: /(?<![\p{L}\p{N}])\([2-9]\d{2}\) ?[2-9]\d{2}[ .-]\d{4}(?![\p{L}\p{N}])/gu,
    },
    {
      mark: "[PHONE]",
      pattern: number("\\(?0\\d{1,5}\\)?(?:[ .\\-/]?\\d{2,5}){1,4}"),
      proves: (_, match) => between(match.replace(/\D/g, "").length, 8, 12),
      named: near(
        "tel|telephone|phone|mobile|mob|cell|call|fax|whatsapp|sms|téléphone|telefon|teléfono|handy|rufen",
      ),
    },
  ],
};

const between = (value: number, least: number, most: number) => value >= least && value <= most;

/** Whether a match is what its kind says; `before` is the text in front of it. */
export function proven(kind: Kind, match: string, before: string): boolean {
  if (kind.proves && !kind.proves(bare(match), match)) return false;
  return (!kind.named || kind.named.test(before)) && !kind.unless?.test(before);
}
