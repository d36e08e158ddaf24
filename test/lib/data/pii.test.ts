// Oracle: numbers whose check digits are published (ISO, issuers' test numbers, standards' own examples), and texts written here
// with what is personal in them marked, beside texts full of numbers that are not: the rules were made by them, so all must be
// right. What they are worth elsewhere is measured in pii-held-out.test.ts.

import { describe, expect, it } from "vitest";
import { data } from "../../../lib/data/index.ts";
import * as check from "../../../lib/data/pii/check-digits.ts";
import { findPii, pii } from "../../../lib/data/pii/pii.ts";

const checks = { ...check };
const right = {
  luhn: ["4111111111111111", "378282246310005", "5555555555554444", "6011111111111117", "046454286"],
  iban: [
    "GB29NWBK60161331926819",
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "NO9386011117947",
  ],
  routing: ["021000021", "011401533", "091000019"],
  cpf: ["52998224725", "11144477735"],
  dni: ["12345678Z", "X1234567L", "Y1234567X"],
  pesel: ["44051401359", "02070803628"],
  bsn: ["111222333", "123456782"],
  verhoeff: ["2363", "234123412346"],
  codiceFiscale: ["RSSMRA85T10A562S", "MRTMTT91D08F205J"],
  nir: ["255081416802538", "180126955222380"],
  nhs: ["9434765919", "4505577104"],
};

describe("check digits", () => {
  it.each(Object.entries(right))(
    "%s holds for real numbers and for none with one digit changed",
    (name, numbers) => {
      const holds = checks[name as keyof typeof right];
      for (const number of numbers) {
        expect(holds(number), number).toBe(true);
        const places = [...number].flatMap((sign, i) => (/\d/.test(sign) ? [i] : []));
        // Spain's letters and codice fiscale see every digit; PESEL's and others' weights too: no single change goes unseen.
        for (const i of places) {
          const other = String((Number(number[i]) + 1) % 10);
          const changed = number.slice(0, i) + other + number.slice(i + 1);
          expect(holds(changed), changed).toBe(false);
        }
      }
    },
  );
});

// «kind:text» is what must be found.
const PERSONAL = [
  "Write to «email:jane.doe+news@mail.example.co.uk», or to «email:m_miller@uni-köln.de».",
  "Contact: «email:INFO@EXAMPLE.ORG»; or <«email:o'brien@example.com»>",
  "Her card, «card:4111 1111 1111 1111», ran out; so did «card:3782-822463-10005» and «card:5555555555554444».",
  "Pay to «iban:DE89 3704 0044 0532 0130 00» or «iban:GB29NWBK60161331926819» until Friday.",
  "IBAN «iban:FR14 2004 1010 0505 0001 3M02 606» (La Banque Postale)",
  "Call «phone:+1 415-555-2671» or «phone:(415) 555-2671», office «phone:415.555.2671».",
  "Berlin: «phone:+49 30 901820», London: «phone:+44 20 7946 0018», Paris: «phone:+33 1 70 18 99 00».",
  "Tel. «phone:030 1234567», Fax: «phone:0221/4710-123»",
  "mobile «phone:07700 900123» after six",
  "The server at «ip:8.8.8.8» answered before «ip:2606:4700:4700::1111» did.",
  "Login from «ip:93.184.216.34», port 22",
  "SSN «id:536-90-4399», born 1970",
  "social security number: «id:536904399»",
  "SIN: «id:046 454 286» (Canada)",
  "CPF «id:529.982.247-25» do titular; cpf «id:11144477735»",
  "con DNI «id:12345678Z» y NIE «id:X1234567L»",
  "codice fiscale «id:RSSMRA85T10A562S»",
  "n° de sécu «id:2 55 08 14 168 025 38»",
  "PESEL: «id:44051401359»",
  "Het BSN is «id:111222333».",
  "Aadhaar number «id:2341 2341 2346» was linked",
  "NHS number «id:943 476 5919»",
  "ABA routing number «id:021000021»",
  "reply to «email:a@b.io» from «ip:52.95.110.1»",
  "My number is «phone:212-555-0147»; text me.",
  "Visa «card:4012888888881881», exp 04/27",
];

const ORDINARY = [
  "Version 10.4.3.2 came out on 2021-04-05 and 12.10.2019, section 1.2.3.4 of the manual, 127.0.0.1 and 192.168.0.1.",
  "The price is $1,234,567.89, or 4111 1111 1111 1112 in the old money; order 1234567890123456 was shipped.",
  "ISBN 978-3-16-148410-0 and ISBN 0-306-40615-2, ISSN 2049-3630, DOI 10.1000/182.",
  "In 1914-1918 and 1939-1945, pages 123-456, numbers 5 to 12 of 30.",
  "Pi is 3.14159265358979323846, e is 2.718281828459045.",
  "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  "UUID 123e4567-e89b-12d3-a456-426614174000, MAC 00:1B:44:11:3A:B7, time 12:34:56.",
  "Foo@bar is no address, nor are @handle, user@localhost and a @ b.",
  "Call me at five; the telephone was invented in 1876, the 3rd of 10.",
  "Flight LH 454, train ICE 1234, model DE12 3456, part GB29NWBK60161331926818.",
  "1 000 000 000 people, 123 456 789 of them, 98-765 others, 12 345 678 900 in all.",
  "The IP range 10.0.0.0/8, 203.0.113.5 and 2001:db8::1 are for examples; fe80::1 is local, ::1 too.",
  "std::vector and a::b::c are C++; Q: 5:30 or 6:30? ratio 16:9:1",
  "Our BSN course in nursing, a sin of 123 456 780 souls, the aba song, 12345678A.",
  "Account 0123456789 and reference 00123456789; tracking 1Z999AA10123456784, 536-00-4399.",
  "415-055-2671 and 115-555-2671 are no numbers of North America, nor is 1234-555-2671.",
  "It cost +100 000 and -200,000; temperatures +15 to +20, +1, +12 34.",
  "He scored 100.200.300.400 points and 256.1.1.1 more.",
  "Latitude 52.520008, longitude 13.404954; 40 26 46 N 79 58 56 W.",
  "0.1.2.3 and 1.02.3.4; chapter 0800 of 0900, clause 252.227-7013.",
];

function parsed(marked: string) {
  const wanted: { kind: string; start: number; end: number }[] = [];
  let text = "";
  let at = 0;
  for (const { 0: whole, 1: kind, 2: inside, index } of marked.matchAll(/«(\w+):([^»]*)»/g)) {
    text += marked.slice(at, index);
    wanted.push({ kind: kind!, start: text.length, end: text.length + inside!.length });
    text += inside;
    at = index + whole.length;
  }
  return { text: text + marked.slice(at), wanted };
}

describe("pii", () => {
  it("finds what is personal and leaves what is not", () => {
    const same = (a: { kind: string; start: number; end: number }, b: typeof a) =>
      a.kind === b.kind && a.start === b.start && a.end === b.end;
    const wrong: string[] = [];
    for (const marked of [...PERSONAL, ...ORDINARY]) {
      const { text, wanted } = parsed(marked);
      const found = findPii(text);
      for (const one of wanted)
        if (!found.some((other) => same(one, other)))
          wrong.push(`missed ${one.kind}: ${text.slice(one.start, one.end)}`);
      for (const one of found)
        if (!wanted.some((other) => same(one, other)))
          wrong.push(`wrong ${one.kind}: ${text.slice(one.start, one.end)}`);
    }
    expect(wrong).toEqual([]);
  });

  it("says in the report what was replaced, and keeps none of it", async () => {
    const clean = data.from(["call (415) 555-2671 or a@b.org", "b@c.org", "nothing here"]).redact(pii());
    expect((await clean.toArrow()).toArray().map((row) => row.text)).toEqual([
      "call [PHONE] or [EMAIL]",
      "[EMAIL]",
      "nothing here",
    ]);
    const [, step] = await clean.report().steps();
    expect(step!.changed.map(({ reason, count }) => [reason, count])).toEqual([
      ["email", 2],
      ["phone", 1],
    ]);
    expect(JSON.stringify(step)).not.toContain("555-2671");
  });

  it("looks for the kinds that are asked for, and names those there are", () => {
    expect(pii({ kinds: ["email"] }).redact("a@b.org, 8.8.8.8").text).toBe("[EMAIL], 8.8.8.8");
    expect(() => pii({ kinds: ["mail" as never] })).toThrow(/email, card/);
  });

  it("takes time in proportion to a text", () => {
    for (const piece of ["1", "1 ", "1.", "a@", "a.", "+1 ", "(0", "a:", "A1", "1-", "@a."]) {
      const time = (count: number) => {
        const text = piece.repeat(count);
        const begin = performance.now();
        findPii(text);
        return performance.now() - begin;
      };
      time(1000);
      const [short, long] = [time(4000), time(32_000)];
      expect(long, JSON.stringify(piece)).toBeLessThan(40 * short + 400);
    }
  });
});
