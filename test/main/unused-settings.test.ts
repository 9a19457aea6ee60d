import { expect, test } from "vitest";
import { unusedSettings } from "../../src/main/unused-settings.js";
import { readConfig } from "../../src/runtime/config.js";

function configOf(env: Record<string, string>) {
  const read = readConfig(env);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
}

test("a plain machine relies on nothing that is not there", () => {
  expect(unusedSettings(configOf({}))).toEqual([]);
});

test("a variable that has no part in this version is named", () => {
  const env = {
    REDIS_URL: "redis://cache:6379",
    DATADOG_API_KEY: "a-key",
    SENTRY_DSN: "https://key@sentry.example.com/1",
    PORT: "3001",
  };
  expect(unusedSettings(configOf(env))).toEqual(["DATADOG_API_KEY", "SENTRY_DSN"]);
});
