// Oracle: texts whose language is known. Measured on what nothing was tried on before: a package's description of itself in twelve
// languages (Biome's READMEs, sentence by sentence, names of products and all) and article 3 of the Universal Declaration of Human
// Rights (public domain) in those that it lacks. Precision and recall of every language are printed.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { data } from "../../../lib/data/index.ts";
import { language } from "../../../lib/data/language.ts";

const TEXTS = {
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
};
const RIGHT_TO_LIFE: Record<string, string> = {
  ar: "لكل فرد الحق في الحياة والحرية وسلامة شخصه.",
  bg: "Всеки човек има право на живот, свобода и лична сигурност.",
  cs: "Každý má právo na život, svobodu a osobní bezpečnost.",
  da: "Enhver har ret til liv, frihed og personlig sikkerhed.",
  de: "Jeder hat das Recht auf Leben, Freiheit und Sicherheit der Person.",
  el: "Κάθε άτομο έχει δικαίωμα στη ζωή, την ελευθερία και την προσωπική ασφάλεια.",
  fi: "Kullakin yksilöllä on oikeus elämään, vapauteen ja henkilökohtaiseen turvallisuuteen.",
  he: "כל אדם יש לו הזכות לחיים, לחרות ולבטחון אישי.",
  hu: "Minden személynek joga van az élethez, a szabadsághoz és a személyi biztonsághoz.",
  id: "Setiap orang berhak atas kehidupan, kebebasan dan keselamatan sebagai individu.",
  it: "Ogni individuo ha diritto alla vita, alla libertà ed alla sicurezza della propria persona.",
  nl: "Een ieder heeft het recht op leven, vrijheid en onschendbaarheid van zijn persoon.",
  no: "Enhver har rett til liv, frihet og personlig sikkerhet.",
  ro: "Orice ființă umană are dreptul la viață, la libertate și la securitatea persoanei sale.",
  sv: "Var och en har rätt till liv, frihet och personlig säkerhet.",
  tr: "Yaşamak, hürriyet ve kişi emniyeti her ferdin hakkıdır.",
  vi: "Mọi người đều có quyền sống, quyền tự do và an toàn cá nhân.",
};

/** Sentences of Biome's READMEs, by language, and the commands in them, which are of none. */
function described(): { label: string; text: string }[] {
  const folder = new URL("../../../node_modules/@biomejs/biome/", import.meta.url);
  const names = readdirSync(folder).filter((name) => /^README.*\.md$/.test(name));
  return names.flatMap((name) => {
    const code = /^README\.(\w+)/.exec(name)?.[1] ?? "en";
    const label = { kr: "ko", md: "en" }[code] ?? code;
    const whole = readFileSync(new URL(name, folder), "utf8");
    const commands = whole.match(/^(?:npx|npm) .*$/gm) ?? [];
    const prose = whole
      .replace(/```[\s\S]*?```|<!--[\s\S]*?-->|<[^>]*>/g, "\n")
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/[*_`#>]/g, "");
    const sentences = prose
      .split(/\n+|(?<=[.!?。！？।])\s+/)
      .map((line) => line.trim())
      .filter((line) => !/https?:|\[|\]|\|/.test(line) && (line.match(/\p{L}/gu) ?? []).length >= 20)
      .map((text) => ({ label, text }));
    return label === "en"
      ? [...sentences, ...commands.map((text) => ({ label: "command", text }))]
      : sentences;
  });
}

describe("language", () => {
  it("keeps the language that is asked for, whichever it is", async () => {
    const rows = [...described(), ...Object.entries(RIGHT_TO_LIFE).map(([label, text]) => ({ label, text }))];
    const labels = [...new Set(rows.map(({ label }) => label))].filter((label) => label !== "command");
    expect(labels.length).toBe(28);
    const all = { right: 0, found: 0, wanted: 0 };
    const lines: string[] = [];
    const line = (name: string, { right, found, wanted }: typeof all) =>
      `language ${name}: precision ${(right / Math.max(1, found)).toFixed(3)}, recall ${(right / wanted).toFixed(3)} of ${wanted}`;
    for (const label of labels) {
      const found = [];
      for await (const row of data.from(rows).filter(language(label))) found.push(row);
      const one = {
        right: found.filter((row) => row.label === label).length,
        found: found.length,
        wanted: rows.filter((row) => row.label === label).length,
      };
      lines.push(line(label, one));
      for (const key of ["right", "found", "wanted"] as const) all[key] += one[key];
    }
    console.log([...lines, line("all", all)].join("\n"));
    expect(all.wanted).toBeGreaterThan(150);
    expect(all.right / all.found).toBeGreaterThan(0.97);
    expect(all.right / all.wanted).toBeGreaterThan(0.9);
  });

  it("counts what it drops by the language that it is", async () => {
    const texts = [...TEXTS.en, ...TEXTS.de, "", "===="];
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
