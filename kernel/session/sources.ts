// What a function's own text says: the person's code, without the checks that the compiler put into it.
// So that a function shown, hashed, or sent to a browser page or a worker reads as it was written.
// Relies on the shape of compile/guard.ts's insertions. Functions without any are told as they are.

const NAME = String.raw`\$+(?:cell|lensor)_`;
const CHECK = String.raw`if\(${NAME}(?:stop|here)\[0\]\)throw ${NAME}reason;`;
const GUARD = new RegExp(
  String.raw`\{\/\*value\*\/${CHECK}return |\/\*value\*\/\}|const ${NAME}here=${NAME}stop;|${CHECK}|${NAME}tick\(\);`,
  "g",
);
const CAUGHT = /\$+(?:cell|lensor)_caught\([\p{ID_Continue}$]+\);/gu;

export function withoutGuards(text: string): string {
  return /_(?:reason;|tick\(\)|caught\()/.test(text) ? text.replace(GUARD, "").replace(CAUGHT, "") : text;
}

/** Makes every function in this process tell its text that way. */
export function hideGuards(): void {
  const original = Function.prototype.toString;
  const asWritten = function (this: (...args: never[]) => unknown): string {
    return withoutGuards(original.call(this));
  };
  Object.defineProperty(Function.prototype, "toString", {
    value: asWritten,
    writable: true,
    configurable: true,
  });
}
