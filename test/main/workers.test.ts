import { expect, test } from "vitest";
import { workerEnvironment } from "../../src/main/workers.js";
import { readConfig } from "../../src/runtime/config.js";

const SIGNS = {
  POLICY_SIGNING_KEY: "@/etc/key.pem",
  GITHUB_APP_ID: "7",
  GITHUB_APP_PRIVATE_KEY: "a key",
  GITHUB_APP_INSTALLATION_ID: "8",
};

test("a worker gets neither what signs policies nor the app's key, and is still rightly configured", () => {
  const env = { ...SIGNS, SLACK_BOT_TOKEN: "xoxb-1", ALGOBRAIN_HOME: "relative" };
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("\n"));
  const config = { ...read.value, home: "/home" };
  const databaseUrl = "postgres://u:p@127.0.0.1:5432/a";
  const given = workerEnvironment({ config, databaseUrl }, env);
  expect(given).toMatchObject({
    ...{ SLACK_BOT_TOKEN: "xoxb-1", DATABASE_URL: databaseUrl, ALGOBRAIN_HOME: "/home" },
  });
  for (const name of Object.keys(SIGNS)) expect(given[name], name).toBeUndefined();
  expect(readConfig(given).ok).toBe(true);
});
