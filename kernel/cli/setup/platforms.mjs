// For which machines the native code is packed: a package of npm each, which npm installs where it fits and skips elsewhere.

/**
 * @typedef {object} Platform
 * @property {"linux" | "darwin" | "win32"} os
 * @property {"x64" | "arm64"} cpu
 * @property {"glibc"} [libc]
 * @property {boolean} tested Whether a machine of that kind has built it and run the tests. Only these are dependencies of the
 *   package: `npx lensor build` serves the others
 */

/** @type {Platform[]} */
export const platforms = [
  { os: "linux", cpu: "x64", libc: "glibc", tested: true },
  { os: "linux", cpu: "arm64", libc: "glibc", tested: false },
  { os: "darwin", cpu: "arm64", tested: false },
  { os: "darwin", cpu: "x64", tested: false },
  { os: "win32", cpu: "x64", tested: false },
];

/** The name that lib/addon.ts asks for. @param {Platform} platform */
export const packageName = ({ os, cpu }) => `@lensor/native-${os}-${cpu}`;

/** This machine's, if it is in the table. */
export const here = () => platforms.find(({ os, cpu }) => os === process.platform && cpu === process.arch);

/** The published package's optional dependencies. @param {string} version */
export const nativeDependencies = (version) =>
  Object.fromEntries(
    platforms.filter(({ tested }) => tested).map((platform) => [packageName(platform), version]),
  );
