// Work that follows many signals and is worth doing once a frame.
// Relies on the browser's animation frames, which stand still while the page is hidden: what waits is done when it is seen.

export class Frame {
  readonly #work: () => void;
  #asked: number | undefined;

  constructor(work: () => void) {
    this.#work = work;
  }

  /** Does the work in the next frame, however often it is asked. */
  soon(): void {
    this.#asked ??= requestAnimationFrame(() => {
      this.#asked = undefined;
      this.#work();
    });
  }

  cancel(): void {
    if (this.#asked !== undefined) cancelAnimationFrame(this.#asked);
    this.#asked = undefined;
  }
}
