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
    GITHUB_TOKEN: "a-token",
    DATABASE_URL: "postgres://primary/algobrain",
    DATABASE_URL_REPLICA: "postgres://replica/algobrain",
    AWS_ENDPOINT_URL: "http://127.0.0.1:4566",
    PORT: "3001",
  };
  expect(unusedSettings(configOf(env))).toEqual(["DATABASE_URL_REPLICA"]);
});
