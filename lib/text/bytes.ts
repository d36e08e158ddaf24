// GPT-2's alphabet: each of the 256 bytes as one printable character, which is how byte-level vocabularies are written.
// Source: `bytes_to_unicode` of https://github.com/openai/gpt-2/blob/master/src/encoder.py

const BYTE_OF = new Map<string, number>();
const CHARACTERS: string[] = [];
let next = 256;
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const character = String.fromCharCode(printable ? byte : next++);
  CHARACTERS.push(character);
  BYTE_OF.set(character, byte);
}

/** The alphabet: 256 characters, in no particular order. */
export const ALPHABET: readonly string[] = [...BYTE_OF.keys()];

/** The character that a byte is written as. */
export const characterOfByte = (byte: number): string => CHARACTERS[byte]!;

/** The bytes of a token as the vocabulary writes it, or undefined where a character is not of the alphabet. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF.get(token[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of a token for people: bytes that are no characters by themselves are written `<0xE6>`. */
export function readable(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    let text = "";
    for (const byte of bytes)
      text += byte < 0x80 ? String.fromCharCode(byte) : `<0x${byte.toString(16).toUpperCase()}>`;
    return text;
  }
}
