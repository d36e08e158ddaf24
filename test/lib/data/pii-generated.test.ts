// Precision and recall on numbers drawn by a seed: of every kind, right ones by their published rule (the check digit is found by
// trying all), and others of the same look that the rule refuses.

import { expect, it } from "vitest";
import * as check from "../../../lib/data/pii/check-digits.ts";
import { findPii } from "../../../lib/data/pii/pii.ts";
import { generator } from "../model/random-weights.ts";

const random = generator(17);
const below = (n: number) => Math.floor(n * random());
const pick = <T>(list: readonly T[]) => list[below(list.length)]!;
const digits = (count: number) => Array.from({ length: count }, () => below(10)).join("");
const letters = (count: number) =>
  Array.from({ length: count }, () => String.fromCharCode(65 + below(26))).join("");
const grouped = (text: string, sizes: number[], sign: string) => {
  let at = 0;
  return sizes.map((size) => text.slice(at, (at += size))).join(sign);
};

/** A text of this look that the rule holds for, or does not. */
function drawn(look: () => string, rule: (text: string) => boolean, right: boolean): string {
  for (;;) {
    const text = look();
    if (rule(text) === right) return text;
  }
}

const card = (right: boolean) => {
  const plain = drawn(
    () => pick(["4", "51", "55", "2221", "6011"]).padEnd(1) + digits(15),
    (text) => check.luhn(text.slice(0, 16)),
    right,
  ).slice(0, 16);
  return pick([plain, grouped(plain, [4, 4, 4, 4], " "), grouped(plain, [4, 4, 4, 4], "-")]);
};
const iban = (right: boolean) => {
  const plain = drawn(() => `DE${digits(20)}`, check.iban, right);
  return pick([plain, grouped(plain, [4, 4, 4, 4, 4, 2], " ")]);
};

interface Case {
  kind: string;
  right: () => string;
  /** Of the same look. */
  wrong: () => string;
}
const CASES: Record<string, Case> = {
  card: { kind: "card", right: () => card(true), wrong: () => card(false) },
  iban: { kind: "iban", right: () => iban(true), wrong: () => iban(false) },
  email: {
    kind: "email",
    right: () =>
      `${letters(3).toLowerCase()}.${letters(5).toLowerCase()}${pick(["", "+tag", "_x"])}@${letters(6).toLowerCase()}.${pick(["com", "co.uk", "org", "de"])}`,
    wrong: () => `${letters(5).toLowerCase()}@${letters(6).toLowerCase()}`,
  },
  "North American phone": {
    kind: "phone",
    right: () => `${pick(["(2", "(7"])}${digits(2)}) ${2 + below(8)}${digits(2)}-${digits(4)}`,
    wrong: () => `(${below(2)}${digits(2)}) ${digits(3)}-${digits(4)}`,
  },
  "international phone": {
    kind: "phone",
    right: () => `+${pick(["49", "33", "44", "81"])} ${1 + below(9)}${digits(2)} ${digits(3)} ${digits(3)}`,
    wrong: () => `${digits(2)} ${digits(3)} ${digits(3)} ${digits(3)}`,
  },
  "address of the internet": {
    kind: "ip",
    right: () => `${pick([8, 52, 91, 151, 185])}.${below(250)}.${below(250)}.${1 + below(250)}`,
    wrong: () =>
      `${pick(["10", "127", "192.168", "172.20"])}${`.${below(250)}`.repeat(3)}`
        .split(".")
        .slice(0, 4)
        .join("."),
  },
  "United States SSN": {
    kind: "id",
    right: () => `${100 + below(500)}-${10 + below(90)}-${1000 + below(9000)}`,
    wrong: () => `${900 + below(99)}-${10 + below(90)}-${1000 + below(9000)}`,
  },
  ...Object.fromEntries(
    (
      [
        [
          "Brazilian CPF",
          () => digits(11),
          check.cpf,
          (text) => `${grouped(text, [3, 3, 3], ".")}-${text.slice(9)}`,
        ],
        ["Spanish DNI", () => digits(8) + letters(1), check.dni, (text) => text],
        ["Polish PESEL", () => digits(11), check.pesel, (text) => `PESEL ${text}`],
        ["Dutch BSN", () => digits(9), check.bsn, (text) => `BSN: ${text}`],
        [
          "Indian Aadhaar",
          () => pick(["2", "5", "9"]) + digits(11),
          check.verhoeff,
          (text) => `Aadhaar ${grouped(text, [4, 4, 4], " ")}`,
        ],
        ["British NHS number", () => digits(10), check.nhs, (text) => `NHS ${grouped(text, [3, 3, 4], " ")}`],
      ] as [string, () => string, (text: string) => boolean, (text: string) => string][]
    ).map(([name, look, rule, shown]) => [
      name,
      {
        kind: "id",
        right: () => shown(drawn(look, rule, true)),
        wrong: () => shown(drawn(look, rule, false)),
      },
    ]),
  ),
};
const AROUND = ["It is # in our files.", "see #, please", "(#)", "Her number: #", "between # and the rest"];
/** What no kind is: each is counted against all of them. */
const ORDINARY = [
  () => `${1900 + below(130)}-${10 + below(3)}-${10 + below(18)}`,
  () => `${digits(3)}.${digits(2)}`,
  () => `$${1 + below(9)},${digits(3)},${digits(3)}.${digits(2)}`,
  () => `ISBN 978-${below(10)}-${digits(2)}-${digits(6)}-${below(10)}`,
  () => `${10 + below(13)}:${10 + below(49)}:${10 + below(49)}`,
  () => `v${below(9)}.${below(20)}.${below(20)}`,
  () => `0x${digits(8)}`,
  () => `order ${digits(12)}`,
  () => `${letters(2)}-${digits(6)}`,
  () => `${digits(2)}.${digits(2)}.${1900 + below(130)}`,
];

it("finds numbers that their rule proves, and leaves those that it refuses", () => {
  const each = process.env.LENSOR_FULL ? 2000 : 150;
  const total = { right: 0, found: 0, wanted: 0 };
  for (const { kind, right, wrong } of Object.values(CASES)) {
    let [hits, found] = [0, 0];
    for (let i = 0; i < each; i++) {
      const [good, bad, plain] = [right(), wrong(), pick(ORDINARY)()].map((text) =>
        pick(AROUND).replace("#", text),
      );
      if (findPii(good!).some((one) => one.kind === kind)) hits++;
      found += findPii(bad!).filter((one) => one.kind === kind).length + findPii(plain!).length;
    }
    total.right += hits;
    total.found += hits + found;
    total.wanted += each;
  }
  expect(total.right / total.found).toBeGreaterThan(0.95);
  expect(total.right / total.wanted).toBeGreaterThan(0.95);
});
