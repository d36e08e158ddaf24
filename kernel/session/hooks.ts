// Starts the module hooks of loader.ts in this process, by whichever way this Node has.
// Relies on module.registerHooks (Node 22.15) or module.register (Node 20). Newer Node strips types itself; the hooks add
// enums, JSON, edited files and `lensor` there.

import * as module from "node:module";
import * as loader from "./loader.ts";

type SyncHooks = (hooks: { resolve: unknown; load: unknown }) => void;

/** Starts the hooks in this process, once. */
export function registerLoader(options: { guarded: boolean }): void {
  process.setSourceMapsEnabled(true);
  const registerHooks = (module as { registerHooks?: SyncHooks }).registerHooks;
  if (registerHooks) {
    loader.initialize(options);
    registerHooks({ resolve: loader.resolveSync, load: loader.loadSync });
  } else module.register(new URL("./loader.js", import.meta.url).href, { data: options });
}
