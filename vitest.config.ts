// Which tests run beside each other. Those that measure time or memory, or drive a browser, run alone and last: on two
// cores anything else would be measured with them.

import { defineConfig } from "vitest/config";

const alone = ["test/e2e/**/*.test.ts", "test/bench/**/*.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "together",
          include: ["test/**/*.test.ts"],
          exclude: alone,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
