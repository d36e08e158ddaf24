// What the published package's package.json says, made of the checkout's.

import { nativeDependencies } from "./platforms.mjs";

/**
 * @template {{ version: string, scripts?: object, devDependencies?: object }} Manifest
 * @param {Manifest} manifest
 */
export function published({ scripts: _, devDependencies: __, ...manifest }) {
  // Scripts and development are a checkout's. Nothing runs when the package is installed.
  return { ...manifest, optionalDependencies: nativeDependencies(manifest.version) };
}
