// What an English word tokenizer knows: which characters part from a word's ends and from its middle, which spellings are
// several words, which stay whole though they end in a full stop. The rules are those of spaCy 3's blank English pipeline
// (datatrove counts words with it); here they are written as data, and nothing here looks at a text.

/** White space as Python's str.isspace has it: JavaScript's \s has U+FEFF and lacks U+001C to U+001F and U+0085. */
export const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉\u2329\u232a⟦⟧";
const PUNCTUATION = "…,:;!?¿؟¡\\(\\)\\[\\]\\{\\}<>_#*&。？！，、；：～·।،۔؛٪";
const CURRENCY = "$£€¥฿\u20a0-\u20bf\ufdfc";
const ICONS = "\\p{So}";

const LATIN =
  "A-Za-zＡ-Ｚａ-ｚÀ-ÖØ-öø-ÿ\\u0100-\\u01bf\\u01c4-\\u02af\\u1d00-\\u1d25\\u1d6b-\\u1d77\\u1d79-\\u1d9a\\u1e00-\\u1eff" +
  "\\u2c60-\\u2c7b\\u2c7e\\u2c7f\\ua722-\\ua76f\\ua771-\\ua787\\ua78b-\\ua78e\\ua790-\\ua7b9\\ua7fa\\uab30-\\uab5a\\uab60-\\uab64";
const UNCASED =
  "\\u1200-\\u137f\\u0980-\\u09ff\\u0591-\\u05f4\\ufb1d-\\ufb4f\\u0620-\\u064a\\u066e-\\u06d5\\u06e5-\\u06ff\\u0750-\\u077f" +
  "\\u08a0-\\u08bd\\ufb50-\\ufbb1\\ufbd3-\\ufd3d\\ufd50-\\ufdc7\\ufdf0-\\ufdfb\\ufe70-\\ufefc\\u{1ee00}-\\u{1eebb}" +
  "\\u0900-\\u097f\\u0b80-\\u0bff\\u0c00-\\u0cff\\u0d80-\\u0dff\\u1100-\\u11ff\\u2e80-\\u2fdf\\u2ff0-\\u30ff\\u31c0-\\u31ef" +
  "\\u3200-\\u4dbf\\u4e00-\\u9fff\\uac00-\\ud7af\\uf900-\\ufaff\\ufe30-\\ufe4f\\u{1f200}-\\u{1f2ff}\\u{20000}-\\u{2ebef}\\u{2f800}-\\u{2fa1f}";
const LOWER = `[\\p{Ll}&&[${LATIN}]]а-яёәөүҗңһіїєґѓѕјљњќѐѝα-ωάέίόώήύ${UNCASED}`;
const UPPER = `[\\p{Lu}&&[${LATIN}]]А-ЯЁӘӨҮҖҢҺІЇЄҐЃЅЈЉЊЌЀЍΑ-ΩΆΈΊΌΏΉΎ${UNCASED}`;
const LETTER = `${LATIN}а-яёА-ЯЁәөүҗңһӘӨҮҖҢҺіїєґІЇЄҐѓѕјљњќѐѝЃЅЈЉЊЌЀЍα-ωάέίόώήύΑ-ΩΆΈΊΌΏΉΎ${UNCASED}`;

const UNITS =
  "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa mbar " +
  "mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па мбар " +
  "Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ كوب اكواب";

const any = (...parts: string[]) => `(?:${parts.join("|")})`;
const regex = (source: string, flags = "") => new RegExp(source, `v${flags}`);

/** What parts from a word's front, one piece at a time. */
export const PREFIX = regex(
  `^${any("[§%=—–]", "\\+(?![0-9])", `[${PUNCTUATION}]`, "\\.\\.+", `[${QUOTES}]`, `(?:US|C|A)?[$]`, `[${CURRENCY}]`, `[${ICONS}]`)}`,
);

/** What parts from its end. */
export const SUFFIX = regex(
  `${any(
    "……",
    `[${PUNCTUATION}]`,
    "\\.\\.+",
    `[${QUOTES}]`,
    `[${ICONS}]`,
    "['’][sS]",
    "[—–]",
    "(?<=[0-9])\\+",
    "(?<=°[FfCcKk])\\.",
    `(?<=[0-9])(?:(?:US|C|A)?[$]|[${CURRENCY}])`,
    `(?<=[0-9])${any(...UNITS.split(" "))}`,
    `(?<=[0-9${LOWER}%²\\-\\+\\|\\(\\)?:${PUNCTUATION}${QUOTES}])\\.`,
    `(?<=[${UPPER}][${UPPER}])\\.`,
  )}$`,
);

/** What stands between two words without a space. */
export const INFIX = regex(
  any(
    "\\.\\.+",
    "…",
    `[${ICONS}]`,
    "(?<=[0-9])[+\\-*^](?=[0-9\\-])",
    `(?<=[${LOWER}${QUOTES}])\\.(?=[${UPPER}${QUOTES}])`,
    `(?<=[${LETTER}]),(?=[${LETTER}])`,
    `(?<=[${LETTER}0-9])(?:-|–|—|--|---|——|~)(?=[${LETTER}])`,
    `(?<=[${LETTER}0-9])[:<>=\\/](?=[${LETTER}])`,
  ),
  "g",
);

const HOST = `(?:(?:[A-Za-z0-9\\u00a1-\\uffff][A-Za-z0-9\\u00a1-\\uffff_\\-]{0,62})?[A-Za-z0-9\\u00a1-\\uffff]\\.)+[${LOWER}]{2,63}`;
const ADDRESS =
  "(?!(?:10|127)(?:\\.\\p{Nd}{1,3}){3})(?!(?:169\\.254|192\\.168)(?:\\.\\p{Nd}{1,3}){2})(?!172\\.(?:1[6-9]|2\\p{Nd}|3[0-1])(?:\\.\\p{Nd}{1,3}){2})" +
  "(?:[1-9]\\p{Nd}?|1\\p{Nd}\\p{Nd}|2[01]\\p{Nd}|22[0-3])(?:\\.(?:1?\\p{Nd}{1,2}|2[0-4]\\p{Nd}|25[0-5])){2}\\.(?:[1-9]\\p{Nd}?|1\\p{Nd}\\p{Nd}|2[0-4]\\p{Nd}|25[0-4])";
/** An address on the net, whole, the user's name aside. */
export const URL_ALONE = regex(
  `^(?:[\\p{L}\\p{N}_+\\-.]{2,}:\\/\\/)?${any(ADDRESS, HOST)}(?::\\p{Nd}{2,5})?(?:[\\/?#].*)?$`,
);
/** What stands before it with a user's name. */
export const URL_SCHEME = regex("^[\\p{L}\\p{N}_+\\-.]{2,}:\\/\\/");

/** Tokens that end a sentence. */
export const SENTENCE_ENDS = regex(
  "^[!.?\\u0589\\u061f\\u06d4\\u0700-\\u0702\\u07f9\\u0964\\u0965\\u104a\\u104b\\u1362\\u1367\\u1368\\u166e\\u1735\\u1736" +
    "\\u1803\\u1809\\u1944\\u1945\\u1aa8-\\u1aab\\u1b5a\\u1b5b\\u1b5e\\u1b5f\\u1c3b\\u1c3c\\u1c7e\\u1c7f\\u203c\\u203d" +
    "\\u2047-\\u2049\\u2e2e\\u2e3c\\u3002\\ua4ff\\ua60e\\ua60f\\ua6f3\\ua6f7\\ua876\\ua877\\ua8ce\\ua8cf\\ua92f\\ua9c8\\ua9c9" +
    "\\uaa5d-\\uaa5f\\uaaf0\\uaaf1\\uabeb\\ufe52\\ufe56\\ufe57\\uff01\\uff0e\\uff1f\\uff61]$",
);

const TAILS: [hosts: string, tails: string][] = [
  ["i", "'m 'm|a"],
  ["i you he she it we they", "'ll 'll|'ve 'd 'd|'ve"],
  ["i you we they", "'ve"],
  ["you we they", "'re"],
  ["he she it who what when where why how there that this", "'s"],
  ["who what when where why how there that this these those", "'ll 'll|'ve 'd 'd|'ve"],
  ["who what when where why how there these those", "'re 've"],
  ["ca could do does did had may might must need ought sha should wo would", "n't n't|'ve"],
  ["could might must should would", "'ve"],
  ["ai are is was were have has dare", "n't"],
];
// Spellings that are words of their own.
const WORDS = "ill its hell shell shed were well whore".split(" ");
const BROKEN =
  "y'|all y|all how|'d|'y How|'d|'y not|'ve not|ve Not|'ve Not|ve can|not Can|not gon|na Gon|na got|ta Got|ta let|'s Let|'s " +
  "c'm|on C'm|on °|c|. °|f|. °|k|. °|C|. °|F|. °|K|.";
const WHOLE =
  "doin' doin Doin' Doin goin' goin Goin' Goin nothin' nothin Nothin' Nothin nuthin' nuthin Nuthin' Nuthin ol' ol Ol' Ol " +
  "somethin' somethin Somethin' Somethin em 'em ll 'll nuff 'nuff 'S 's ‘S ‘s and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz " +
  "'cuz 'Cuz 'bout ma'am Ma'am o'clock O'clock lovin' Lovin' lovin Lovin havin' Havin' havin Havin 'd Mt. Ak. Ala. Apr. Ariz. " +
  "Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. Mar. Mass. Mich. " +
  "Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. " +
  "a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. " +
  "Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. — ' \\\") <space> '' C++ \\t \\n ä. ö. ü.";
const FACES =
  ":) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( :-(( :((( " +
  ":-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :* :-* :3 :-3 " +
  "=3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__- v.v V.V v_v V_V " +
  "o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ " +
  "(ಠ_ಠ) ¯\\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>";

/** Spellings that the rules above do not decide, with the words they are. */
export const SPECIAL: ReadonlyMap<string, readonly string[]> = (() => {
  const found = new Map<string, readonly string[]>();
  const add = (pieces: readonly string[]) => {
    found.set(pieces.join(""), pieces);
    const curly = pieces.map((piece) => piece.replaceAll("'", "’"));
    found.set(curly.join(""), curly);
  };
  const title = (word: string) => word[0]!.toUpperCase() + word.slice(1);
  for (const [hosts, tails] of TAILS)
    for (const host of hosts.split(" "))
      for (const tail of tails.split(" "))
        for (const word of [host, title(host)])
          for (const spelt of [tail, tail.replaceAll("'", "")]) add([word, ...spelt.split("|")]);
  for (const word of WORDS) for (const spelt of [word, title(word)]) found.delete(spelt);
  for (const broken of BROKEN.split(" ")) add(broken.split("|"));
  for (let hour = 1; hour <= 12; hour++)
    for (const half of ["a.m.", "am", "p.m.", "pm"]) add([`${hour}`, half]);
  for (const whole of [...WHOLE.split(" "), ...FACES.split(" ")]) add([whole]);
  for (let letter = 97; letter < 123; letter++) add([`${String.fromCharCode(letter)}.`]);
  return found;
})();
