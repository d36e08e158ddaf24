// The one error class of the library: what is wrong, what was expected and what came, and what to do about it.
// The three parts become lines of the message, so that they survive wherever only a message is shown.

export interface ErrorDetails {
  /** What would have been right. */
  expected?: string;
  /** What came instead. */
  got?: string;
  /** What the reader can do now: a whole sentence. */
  fix?: string;
  /** The error underneath, where there is one. */
  cause?: unknown;
}

/**
 * The one error class of the library. Its message says, a line each, what is wrong, what was expected and what came, and
 * what to do about it.
 */
export class LensorError extends Error {
  /** By which it is told apart where `instanceof` cannot: from another realm or process. */
  override readonly name = "LensorError";

  /**
   * @param problem What is wrong, in the user's words: one line
   * @param details What was expected and what came; what to do, as a sentence; the error behind it
   */
  constructor(problem: string, details: ErrorDetails = {}) {
    const { expected, got, fix, cause } = details;
    const compared = [expected && `expected ${expected}`, got && `got ${got}`].filter(Boolean).join(", ");
    const lines = [problem, compared && `${compared[0]!.toUpperCase()}${compared.slice(1)}.`, fix];
    super(lines.filter(Boolean).join("\n"), cause === undefined ? undefined : { cause });
  }
}
