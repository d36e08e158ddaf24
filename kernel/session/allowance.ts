// How much text a cell may print: more than any person reads, less than what a browser and a saved notebook choke on.
// A bucket that time refills: a loop that prints without end is cut, a log that grows for days is not. Pure: time is given.

/** Characters at once, characters a second after that, and how many must be free again before text is shown again. */
const BURST = 16_000_000;
const RATE = 1_000_000;
const RESUME = 2_000_000;

export class Allowance {
  #free = BURST;
  #at = 0;
  #omitted = 0;

  /** What is to be shown of some more text. `now` is in milliseconds, of any clock that only goes forward. */
  admit(text: string, now: number): string {
    this.#free = Math.min(BURST, this.#free + ((now - this.#at) / 1000) * RATE);
    this.#at = now;
    const needed = this.#omitted ? Math.max(text.length, RESUME) : text.length;
    if (needed > this.#free) {
      const note = this.#omitted ? "" : `\n[${FULL}]\n`;
      this.#omitted += text.length;
      return note;
    }
    this.#free -= text.length;
    return this.settle() + text;
  }

  /** How much has been left out, where something has and it has not been said. */
  settle(): string {
    if (!this.#omitted) return "";
    const millions = (this.#omitted / 1e6).toFixed(1);
    this.#omitted = 0;
    return `\n[${millions} million characters were left out]\n`;
  }
}

const FULL =
  `This cell prints more than a notebook can show: after ${BURST / 1e6} million characters the rest is left out. ` +
  "Write it to a file to have it all";
