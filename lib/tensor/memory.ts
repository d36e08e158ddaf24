// A native handle and how many tensors use it: the last one to be disposed frees it. Tensors that are merely forgotten
// leave it to the collector, through the finalizer that the addon gives each handle.

import { type NativeBuffer, type NativePlace, native } from "../native.ts";

class Held<Handle> {
  readonly handle: Handle;
  readonly #free: (handle: Handle) => void;
  #holders = 0;

  constructor(handle: Handle, free: (handle: Handle) => void) {
    this.handle = handle;
    this.#free = free;
  }

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    if (--this.#holders === 0) this.#free(this.handle);
  }
}

/** The values of one or more tensors. */
export class Memory extends Held<NativeBuffer> {
  constructor(buffer: NativeBuffer) {
    super(buffer, (handle) => native().release(handle));
  }
}

/** Where a tensor stands on the tape. */
export class Place extends Held<NativePlace> {
  constructor(place: NativePlace) {
    super(place, (handle) => native().releasePlace(handle));
  }
}
