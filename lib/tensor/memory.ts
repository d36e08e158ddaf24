// A native buffer and how many tensors look at it: the last one to be disposed frees it. Tensors that are merely forgotten
// leave it to the collector, through the finalizer that the addon gives each buffer.

import { type NativeBuffer, native } from "../native.ts";

export class Memory {
  readonly buffer: NativeBuffer;
  #tensors = 0;

  constructor(buffer: NativeBuffer) {
    this.buffer = buffer;
  }

  retain(): this {
    this.#tensors++;
    return this;
  }

  release(): void {
    if (--this.#tensors === 0) native().release(this.buffer);
  }
}
