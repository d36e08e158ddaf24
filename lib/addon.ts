// Where the native code is: LENSOR_ADDON, else what was compiled here, else the package of it that npm brought for this
// machine. Only says where; loading it is native.ts.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { LensorError } from "./errors.ts";
import { packageRoot } from "./package.ts";

/** @throws LensorError where there is none, with what to do */
export function addonPath(): string {
  const { LENSOR_ADDON } = process.env;
  if (LENSOR_ADDON) {
    if (existsSync(LENSOR_ADDON)) return LENSOR_ADDON;
    throw new LensorError("LENSOR_ADDON names no file", { expected: "lensor.node", got: LENSOR_ADDON });
  }
  const built = join(packageRoot(), "build", "lensor.node");
  if (existsSync(built)) return built;
  const prebuilt = `@lensor/native-${process.platform}-${process.arch}`;
  try {
    return createRequire(join(packageRoot(), "package.json")).resolve(`${prebuilt}/lensor.node`);
  } catch {
    throw new LensorError("lensor's native code is not there", {
      expected: `${built}, or the package ${prebuilt}`,
      fix: "In a checkout, run: npm run setup. Elsewhere: npx lensor build",
    });
  }
}

/** What to do about native code that is there and does not work. */
export const REBUILD = "In a checkout, run: npm run setup. Elsewhere: npx lensor build.";
