/** How loud an answered request is in the log: what the saved queries look for must be there (LB-cli-08). */
import { expect, test } from "vitest";
import { levelOf } from "../../src/web/request-log.js";

test.each([
  ["a read that went well", "GET", 200, 12, "debug"],
  ["a read that was slow", "GET", 200, 2_001, "info"],
  ["a read at the edge", "HEAD", 304, 2_000, "debug"],
  ["a read of what is not there", "GET", 404, 3, "info"],
  ["a change", "POST", 202, 3, "info"],
  ["a failure of ours", "GET", 503, 3, "warn"],
  ["a slow failure of ours", "POST", 500, 30_000, "warn"],
] as const)("%s", (_, method, status, duration_ms, level) => {
  expect(levelOf({ method, status, duration_ms })).toBe(level);
});
