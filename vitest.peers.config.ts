import { defineConfig } from "vitest/config";

/** Our own results beside those of the tools that people know, live: `npm run test:peers`. Never part of `npm test`. */
export default defineConfig({
  test: {
    include: ["test/peers/**/*.peer.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    pool: "forks",
    // One after the other: some of them measure.
    maxWorkers: 1,
    testTimeout: 180_000,
    hookTimeout: 300_000,
    restoreMocks: true,
  },
});
