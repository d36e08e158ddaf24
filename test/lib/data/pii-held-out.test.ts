// Precision and recall on texts that nobody wrote rules for: mails, chats, records and logs put together by a seed, with numbers
// whose place is known, and what packages on this machine say of themselves (READMEs, licences, change logs), where a number is
// hardly ever a person's. Printed for each kind; a place counts when kind, start and end are right.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import * as check from "../../../lib/data/pii/check-digits.ts";
import { findPii } from "../../../lib/data/pii/pii.ts";
import { generator } from "../model/random-weights.ts";

const random = generator(2026);
const below = (n: number) => Math.floor(n * random());
const pick = <T>(list: readonly T[]) => list[below(list.length)]!;
const digits = (count: number) => Array.from({ length: count }, () => below(10)).join("");
const grouped = (text: string, sizes: readonly number[], sign: string) => {
  let at = 0;
  return sizes.map((size) => text.slice(at, (at += size))).join(sign);
};
function right(look: () => string, rule: (text: string) => boolean): string {
  for (;;) {
    const text = look();
    if (rule(text)) return text;
  }
}

const FIRST = ["amélie", "josé", "nguyen", "olga", "k", "mary-ann", "li.wei", "oduya", "petra", "s.r"];
const LAST = ["kowalski", "okafor", "smith", "garcía", "öztürk", "haddad", "novák", "d-souza", "bjork", "ng"];
const plain = (text: string) => text.normalize("NFD").replace(/[^a-z0-9.-]/g, "");
const digit = () => String(1 + below(9));

/** What each kind looks like where people write it, by country. */
const KINDS: Record<string, readonly (() => string)[]> = {
  email: [
    () =>
      `${plain(pick(FIRST))}.${plain(pick(LAST))}@${pick(["gmail.com", "web.de", "yahoo.co.jp", "uol.com.br"])}`,
    () =>
      `${plain(pick(LAST))}${digits(2)}@mail.${pick(["example", "kontor", "stadt"])}.${pick(["org", "io", "museum"])}`,
    () =>
      `${plain(pick(FIRST))}_${plain(pick(LAST))}+${pick(["bank", "list.7"])}@${plain(pick(LAST))}-law.com`,
  ],
  card: [
    () => {
      const amex = right(() => `3${pick(["4", "7"])}${digits(13)}`, check.luhn);
      return pick([amex, grouped(amex, [4, 6, 5], " "), grouped(amex, [4, 6, 5], "-")]);
    },
    () =>
      grouped(
        right(() => `4${digits(15)}`, check.luhn),
        [4, 4, 4, 4],
        pick([" ", "-", ""]),
      ),
    () =>
      grouped(
        right(() => `5${1 + below(5)}${digits(14)}`, check.luhn),
        [4, 4, 4, 4],
        pick([" ", "-", ""]),
      ),
  ],
  iban: [
    () =>
      grouped(
        right(() => `NL${digits(2)}${pick(["INGB", "ABNA", "RABO"])}${digits(10)}`, check.iban),
        [4, 4, 4, 4, 2],
        pick([" ", ""]),
      ),
    () =>
      grouped(
        right(() => `AT${digits(18)}`, check.iban),
        [4, 4, 4, 4, 4],
        pick([" ", ""]),
      ),
    () =>
      grouped(
        right(() => `PL${digits(26)}`, check.iban),
        [4, 4, 4, 4, 4, 4, 4],
        pick([" ", ""]),
      ),
    () =>
      grouped(
        right(() => `GB${digits(2)}${pick(["BARC", "LOYD", "HBUK"])}${digits(14)}`, check.iban),
        [4, 4, 4, 4, 4, 2],
        pick([" ", ""]),
      ),
  ],
  phone: [
    () =>
      `+1${pick([" ", "-", "."])}${2 + below(8)}${digits(2)}${pick(["-", " "])}${2 + below(8)}${digits(2)}-${digits(4)}`,
    () => `(${2 + below(8)}${digits(2)}) ${2 + below(8)}${digits(2)}-${digits(4)}`,
    () => `${2 + below(8)}${digits(2)}.${2 + below(8)}${digits(2)}.${digits(4)}`,
    () => `+44 7${digits(3)} ${digits(6)}`,
    () => `+33 ${digit()} ${digits(2)} ${digits(2)} ${digits(2)} ${digits(2)}`,
    () => `+91 ${6 + below(4)}${digits(4)} ${digits(5)}`,
    () => `+55 (${1 + below(9)}${digit()}) 9${digits(4)}-${digits(4)}`,
    () => `0049 ${1 + below(9)}${digits(2)} ${digits(7)}`,
    () => `+81-${digit()}-${digits(4)}-${digits(4)}`,
  ],
  ip: [
    () => `${pick([5, 23, 46, 79, 104, 138, 194])}.${below(256)}.${below(256)}.${1 + below(254)}`,
    () => `2a0${1 + below(9)}:${digits(3)}:${digits(4)}:${below(100)}::${1 + below(9)}`,
  ],
  id: [
    () =>
      `${right(
        () => digits(3),
        (text) => text !== "000" && text !== "666" && text < "900",
      )}-${10 + below(90)}-${1000 + below(9000)}`,
    () => {
      const cpf = right(() => digits(11), check.cpf);
      return `${grouped(cpf, [3, 3, 3], ".")}-${cpf.slice(9)}`;
    },
    () => right(() => `${digits(8)}${pick([..."TRWAGMYFPDXBNJZSQVHLCKE"])}`, check.dni),
    () =>
      `PESEL#${right(() => `${70 + below(30)}${pick(["01", "07", "11"])}${10 + below(18)}${digits(5)}`, check.pesel)}`,
    () => `BSN#${right(() => digits(9), check.bsn)}`,
    () =>
      `NHS no.#${grouped(
        right(() => `4${digits(9)}`, check.nhs),
        [3, 3, 4],
        " ",
      )}`,
    () =>
      `my Aadhaar is#${grouped(
        right(() => `${2 + below(8)}${digits(11)}`, check.verhoeff),
        [4, 4, 4],
        " ",
      )}`,
  ],
};

/** `{kind}` is to be found, `[what]` not. */
const TEXTS = [
  "Hi team,\nplease loop in {email} and cc {email}; the ticket is [ticket].\nBest, R. — {phone}",
  "INVOICE [ticket]  date [date]\nTotal due: [price]\nWire to {iban} (SWIFT [swift])\nQuestions? {phone} / {email}",
  "[date]T[time]Z sshd[[small]]: Accepted publickey for deploy from {ip} port [port] ssh2: RSA SHA256:[hash]",
  '{ip} - - [[date]:[time] +0000] "GET /v[version]/items/[small] HTTP/1.1" 200 [port] "-" "curl/[version]"',
  "omg just text me, {phone}, or ig @[word]_[small]!! not the old {phone} one",
  "Applicant;born;document;contact\n[word];[date];{id};{email}",
  "Le numéro de carte {card} (exp. [month]) a été refusé le [date], montant [price].",
  "Patient seen [date], ref [ticket], weight [small] kg, BP 128/84. Identification: {id}. Next of kin: {phone}.",
  "card={card}&cvv=[small]&amount=[price]&order=[order]",
  "Bitte überweisen Sie [price] auf das Konto {iban}, Verwendungszweck [order].",
  "ERROR [time] payment gateway timeout after [port] ms; request [uuid]; client {ip}; user {email}",
  "Name: [word]\nTaxpayer: {id}\nBank: {iban}\nTel: {phone}",
  "The build [version]+[small].[hash] passed on [date]; [order] tests, [small] skipped, coverage 97.[small] %.",
  "ISBN [isbn], 2nd ed., pp. [small]-[port], doi:10.[port]/[small].[port], printed [date].",
  "Coordinates [coordinate], [coordinate]; altitude [small] m; sensor [uuid]; firmware [version].[small]",
  "Part no. [part], lot [order], qty [small], unit price [price], shipped [date] by [word], AWB [order]",
];
const isbn = () => {
  const body = `978${digits(9)}`;
  const sum = [...body].reduce((all, one, i) => all + Number(one) * (i % 2 ? 3 : 1), 0);
  const text = body + ((10 - (sum % 10)) % 10);
  return pick([text, grouped(text, [3, 1, 4, 4, 1], "-")]);
};
const hex = (count: number) => Array.from({ length: count }, () => below(16).toString(16)).join("");
const OTHERS: Record<string, () => string> = {
  ticket: () => `${pick(["OPS", "CRM", "INV"])}-${digits(5)}`,
  date: () =>
    pick([`20${10 + below(17)}-0${digit()}-1${below(10)}`, `1${below(10)}/0${digit()}/20${10 + below(17)}`]),
  time: () => `1${below(10)}:${10 + below(50)}:${10 + below(50)}`,
  price: () => `${pick(["€", "$", "£", "R$ "])}${1 + below(99)},${digits(3)}.${digits(2)}`,
  swift: () => `${pick(["DEUT", "INGB", "BARC"])}${pick(["DEFF", "NL2A", "GB22"])}XXX`,
  small: () => String(below(1000)),
  port: () => String(1024 + below(60_000)),
  hash: () => hex(40),
  version: () => `${below(30)}.${below(30)}.${below(30)}`,
  word: () => plain(pick(LAST)),
  month: () => `0${digit()}/${27 + below(8)}`,
  order: () => digits(pick([8, 10, 12, 14])),
  uuid: () => [8, 4, 4, 4, 12].map(hex).join("-"),
  isbn,
  coordinate: () => `${pick(["-", ""])}${below(180)}.${digits(6)}`,
  part: () => `${digits(3)}-${digits(4)}-${digits(2)}${pick(["A", "B", "-R"])}`,
};

function made(): { text: string; wanted: { kind: string; start: number; end: number }[] } {
  const wanted: { kind: string; start: number; end: number }[] = [];
  let text = "";
  for (const piece of pick(TEXTS).split(/(\{\w+\}|\[(?:[a-z]+)\])/)) {
    const kind = /^\{(\w+)\}$/.exec(piece)?.[1];
    if (kind) {
      // What stands before a # only names the number.
      const [number, name] = pick(KINDS[kind]!)().split("#").reverse();
      if (name) text += `${name} `;
      wanted.push({ kind, start: text.length, end: text.length + number!.length });
      text += number;
    } else text += /^\[\w+\]$/.test(piece) ? OTHERS[piece.slice(1, -1)]!() : piece;
  }
  return { text, wanted };
}

it("finds what is personal in texts that it was not made for", () => {
  const counts = new Map<string, { right: number; found: number; wanted: number }>();
  const count = (kind: string) =>
    counts.get(kind) ?? counts.set(kind, { right: 0, found: 0, wanted: 0 }).get(kind)!;
  for (let i = 0; i < (process.env.LENSOR_FULL ? 20_000 : 2000); i++) {
    const { text, wanted } = made();
    const places = new Set(wanted.map(({ kind, start, end }) => `${kind} ${start} ${end}`));
    for (const { kind } of wanted) count(kind).wanted++;
    for (const { kind, start, end } of findPii(text)) {
      count(kind).found++;
      if (places.has(`${kind} ${start} ${end}`)) count(kind).right++;
    }
  }
  const all = { right: 0, found: 0, wanted: 0 };
  const line = (name: string, { right, found, wanted }: typeof all) =>
    `pii, ${name}: precision ${(right / found).toFixed(3)}, recall ${(right / wanted).toFixed(3)} of ${wanted}`;
  const lines = [...counts].map(([kind, one]) => {
    for (const key of ["right", "found", "wanted"] as const) all[key] += one[key];
    return line(kind, one);
  });
  console.log([...lines, line("all", all)].join("\n"));
  for (const [kind, { right, found, wanted }] of counts) {
    expect(wanted, kind).toBeGreaterThan(100);
    expect(right / found, kind).toBeGreaterThan(0.95);
    expect(right / wanted, kind).toBeGreaterThan(0.95);
  }
});

it("finds next to no numbers in what packages say of themselves", () => {
  const root = new URL("../../../node_modules/", import.meta.url).pathname;
  const list = (path: string) => readdirSync(path, { withFileTypes: true });
  const folders = list(root).flatMap(({ name }) =>
    name.startsWith("@") ? list(join(root, name)).map((one) => join(name, one.name)) : [name],
  );
  const counts: Record<string, number> = {};
  let characters = 0;
  // A quarter is enough for a look.
  const looked = folders.toSorted().filter((_, i) => process.env.LENSOR_FULL || i % 4 === 0);
  for (const folder of looked.filter((one) => statSync(join(root, one)).isDirectory()))
    for (const file of list(join(root, folder))) {
      if (!file.isFile() || !/^(?:readme|licen[cs]e|changelog|history|notice)/i.test(file.name)) continue;
      const text = readFileSync(join(root, folder, file.name), "utf8");
      characters += text.length;
      for (const { kind, start, end } of findPii(text)) {
        counts[kind] = (counts[kind] ?? 0) + 1;
        expect(text.slice(start, end)).not.toMatch(/\.(?:png|svg|jpg)$/);
      }
    }
  const { email, ...numbers } = counts;
  const wrong = Object.values(numbers).reduce((a, b) => a + b, 0);
  console.log(
    `pii in ${(characters / 1e6).toFixed(1)} million characters of READMEs, licences and change logs: ${email} addresses; ` +
      `numbers, all counted as wrong: ${JSON.stringify(numbers)}, ${((1e6 * wrong) / characters).toFixed(2)} a million`,
  );
  expect(characters).toBeGreaterThan(5e5);
  expect((1e6 * wrong) / characters).toBeLessThan(5);
});
