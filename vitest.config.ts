// Which tests run beside each other. Those of the kernel mostly wait for processes: two at once even on two cores. Those of the
// library compute on every core themselves. Those that measure time or memory, or drive a browser, run alone and last: on two
// cores anything else would be measured with them.

import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const alone = ["test/e2e/**/*.test.ts", "test/bench/**/*.test.ts"];
const kernel = ["test/kernel/**/*.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "kernel",
          include: kernel,
          // Vitest keeps one core for itself: on two it would run one file after another.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "together",
          include: ["test/**/*.test.ts"],
          exclude: [...alone, ...kernel],
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
