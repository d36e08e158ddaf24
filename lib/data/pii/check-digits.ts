// Numbers that prove themselves: the arithmetic of check digits, by which a card or account is told from any other row of
// digits. Pure functions of digits without spaces.

const digitsOf = (text: string) => Array.from(text, Number);

/** Cards, IMEI and others: every second digit from the right doubled, the sum a multiple of ten (ISO/IEC 7812). */
export function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const twice = i % 2 ? 2 * digit : digit;
    sum += twice > 9 ? twice - 9 : twice;
  }
  return digits.length > 1 && sum % 10 === 0 && /[1-9]/.test(digits);
}

/** The remainder of a long number in decimal, letters as 10 to 35. */
export function remainder(text: string, by: number): number {
  let rest = 0;
  for (const one of text) {
    const value = Number.parseInt(one, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % by;
  }
  return rest;
}

/** Account numbers: country and check digits moved behind, the remainder by 97 is one (ISO 13616). */
export function iban(text: string): boolean {
  return remainder(text.slice(4) + text.slice(0, 4), 97) === 1;
}

const weighed = (digits: number[], weights: readonly number[]) =>
  weights.reduce((sum, weight, i) => sum + weight * digits[i]!, 0);

/** US bank routing number: weights 3, 7, 1. */
export const routing = (text: string): boolean =>
  /[1-9]/.test(text) && weighed(digitsOf(text), [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0;

/** Brazil's CPF: two check digits by 11. */
export function cpf(text: string): boolean {
  const d = digitsOf(text);
  if (d.every((digit) => digit === d[0])) return false;
  const check = (n: number) => {
    const sum = d.slice(0, n).reduce((total, digit, i) => total + digit * (n + 1 - i), 0);
    return ((sum * 10) % 11) % 10;
  };
  return check(9) === d[9] && check(10) === d[10];
}

/** Spain's DNI and NIE: a letter by the remainder of 23. */
export function dni(text: string): boolean {
  const number = text.slice(0, -1).replace(/^[XYZ]/, (letter) => String("XYZ".indexOf(letter)));
  return "TRWAGMYFPDXBNJZSQVHLCKE"[Number(number) % 23] === text.at(-1);
}

/** Poland's PESEL: weights 1, 3, 7, 9; the date inside must be one. */
export function pesel(text: string): boolean {
  const d = digitsOf(text);
  const month = (d[2]! * 10 + d[3]!) % 20;
  const day = d[4]! * 10 + d[5]!;
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  return weighed(d, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0;
}

/** The Netherlands' BSN: weights 9 to 2, the last digit taken off, by 11. */
export function bsn(text: string): boolean {
  const d = digitsOf(text);
  return /[1-9]/.test(text) && (weighed(d, [9, 8, 7, 6, 5, 4, 3, 2]) - d[8]!) % 11 === 0;
}

/** India's Aadhaar: the scheme of Verhoeff, in the dihedral group of ten. */
export function verhoeff(text: string): boolean {
  const turn = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
  const times = (a: number, b: number) =>
    a < 5 ? (b < 5 ? (a + b) % 5 : 5 + ((a + b) % 5)) : b < 5 ? 5 + ((a - b + 5) % 5) : (a - b + 5) % 5;
  let check = 0;
  for (const [i, one] of digitsOf(text).reverse().entries()) {
    let digit = one;
    for (let k = 0; k < i % 8; k++) digit = turn[digit]!;
    check = times(check, digit);
  }
  return check === 0;
}

/** Italy's codice fiscale: letters and digits by place, a letter as the check. */
export function codiceFiscale(text: string): boolean {
  const odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
  let sum = 0;
  for (let i = 0; i < 15; i++) {
    const code = text.charCodeAt(i);
    const value = code < 65 ? code - 48 : code - 65;
    sum += i % 2 ? value : odd[value]!;
  }
  return String.fromCharCode(65 + (sum % 26)) === text[15];
}

/** France's numéro de sécurité sociale: 97 less the remainder of the first thirteen. */
export function nir(text: string): boolean {
  const number = text.slice(0, 13).replace("2A", "19").replace("2B", "18");
  return 97 - remainder(number, 97) === Number(text.slice(13));
}

/** The United Kingdom's NHS number: weights 10 to 2, by 11. */
export function nhs(text: string): boolean {
  const d = digitsOf(text);
  const check = (11 - (weighed(d, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11;
  return /[1-9]/.test(text) && check === d[9];
}
