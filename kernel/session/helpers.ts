// Run-time helpers that lowered syntax calls: `using` and decorators. Loaded from oxc's own package when first used.
// Relies on @oxc-project/runtime. Never loaded by a cell that uses neither.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** `helpers.usingCtx` and so on, each the function that oxc's transform expects. */
export const helpers: Record<string, unknown> = new Proxy(
  {},
  {
    get: (_, name) =>
      (require(`@oxc-project/runtime/helpers/${String(name)}`) as { default: unknown }).default,
  },
);
