// Oracle: texts whose language is known: article 1 and 2 of the Universal Declaration of Human Rights (public domain) and
// sentences written here. Precision and recall of every language are printed.

import { describe, expect, it } from "vitest";
import { data } from "../../../lib/data/index.ts";
import { language } from "../../../lib/data/language.ts";

const TEXTS: Record<string, string[]> = {
  en: [
    "All human beings are born free and equal in dignity and rights.",
    "They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.",
    "The train was late again, so we walked to the station and had a cup of tea.",
    "Whoever wants to bake good bread needs flour, water, salt and a great deal of time.",
    "Please send me the figures for the last quarter before the meeting on Thursday.",
    "It was raining when she left the house, and nobody knew where she had gone.",
  ],
  de: [
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "Sie sind mit Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "Der Zug hatte wieder Verspätung, also gingen wir zu Fuß zum Bahnhof und tranken einen Tee.",
    "Wer gutes Brot backen will, braucht Mehl, Wasser, Salz und sehr viel Zeit.",
  ],
  fr: [
    "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "Ils sont doués de raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
    "Le train était encore en retard, alors nous sommes allés à pied à la gare et nous avons bu un thé.",
  ],
  es: [
    "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "Dotados como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "El tren llegó tarde otra vez, así que fuimos andando a la estación y tomamos un té.",
  ],
  it: [
    "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.",
    "Essi sono dotati di ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
  ],
  pt: [
    "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
    "Dotados de razão e de consciência, devem agir uns para com os outros em espírito de fraternidade.",
  ],
  nl: [
    "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren.",
    "Zij zijn begiftigd met verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen.",
  ],
  pl: ["Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw."],
  sv: ["Alla människor är födda fria och lika i värde och rättigheter."],
  tr: ["Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar."],
  ru: ["Все люди рождаются свободными и равными в своем достоинстве и правах."],
  zh: ["人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。"],
  ja: ["すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"],
  ar: ["يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق."],
};
const NOISE = [
  "0x7f 0x3a 0x11 0xde 0xad",
  "|||| ---- ==== ....",
  "lorem qwzx vbnk trpl zzgh",
  "12 34 56 78 90",
];

describe("language", () => {
  it("keeps the language that is asked for, whichever it is", async () => {
    const all = Object.entries(TEXTS).flatMap(([label, texts]) => texts.map((text) => ({ label, text })));
    const rows = [...all, ...NOISE.map((text) => ({ label: "noise", text }))];
    let [right, kept, wanted] = [0, 0, 0];
    const lines: string[] = [];
    for (const label of Object.keys(TEXTS)) {
      const found = [];
      for await (const row of data.from(rows).filter(language(label, { threshold: 0.5 }))) found.push(row);
      const good = found.filter((row) => row.label === label).length;
      lines.push(
        `language ${label}: precision ${(good / Math.max(1, found.length)).toFixed(3)}, ` +
          `recall ${(good / TEXTS[label]!.length).toFixed(3)} of ${TEXTS[label]!.length}`,
      );
      right += good;
      kept += found.length;
      wanted += TEXTS[label]!.length;
    }
    lines.push(`language: precision ${(right / kept).toFixed(3)}, recall ${(right / wanted).toFixed(3)}`);
    console.log(lines.join("\n"));
    expect(right / kept).toBeGreaterThan(0.97);
    expect(right / wanted).toBeGreaterThan(0.95);
  });

  it("counts what it drops by the language that it is", async () => {
    const texts = [...TEXTS.en!, ...TEXTS.de!, "", "===="];
    const [, step] = await data
      .from(texts)
      .filter(language(["en", "fr"]))
      .report()
      .steps();
    const reasons = Object.fromEntries(step!.dropped.map(({ reason, count }) => [reason, count]));
    expect(reasons["language de"]).toBeGreaterThanOrEqual(3);
    expect(reasons["language unclear"]).toBeGreaterThanOrEqual(1);
  });

  it("names near ones where the model does not know a language", async () => {
    await expect(data.from(["a"]).filter(language("eng")).toArrow()).rejects.toThrow(/"en"/);
    expect(() => language([])).toThrow(/list of such/);
    expect(() => language("en", { threshold: 2 })).toThrow(/threshold/);
  });
});
