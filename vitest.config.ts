import { defineConfig } from "vitest/config";

/**
 * Each in a process of its own: files that measure the process itself (its memory, its speed), that run the whole
 * program in it, or that replace a module for all who import it.
 */
const ALONE = [
  "test/{flow,gameday,runbooks,simulation,stack}/**/*.test.ts",
  "test/adapter/{embedded-postgres,shell}.test.ts",
  "test/policy/speed.test.ts",
  "test/runtime/worker-begin.test.ts",
  "test/workload/large-history.test.ts",
];

const EACH = { testTimeout: 60_000, hookTimeout: 120_000, restoreMocks: true } as const;

export default defineConfig({
  test: {
    // Once for both: the projects do not extend this.
    globalSetup: ["test/support/global-setup.ts"],
    pool: "forks",
    maxWorkers: 2,
    projects: [
      { test: { ...EACH, name: "alone", include: ALONE, sequence: { groupOrder: 0 } } },
      {
        test: {
          ...EACH,
          name: "together",
          include: ["test/**/*.test.ts"],
          exclude: ALONE,
          // Modules keep no state of the program's, so one process may load them once for many files.
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
