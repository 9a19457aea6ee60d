import { defineConfig } from "vitest/config";

/**
 * What needs the real Terraform, an emulator of AWS or a linter from PyPI: `npm run test:infra`. Never part of
 * `npm test`: these programs take minutes to fetch and seconds to start.
 */
export default defineConfig({
  test: {
    include: ["test/infra/**/*.infra.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 300_000,
    restoreMocks: true,
  },
});
