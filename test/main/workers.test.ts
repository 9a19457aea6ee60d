import { expect, test } from "vitest";
import { LANES, type Lane } from "../../src/job/kinds.js";
import { workerEnvironment } from "../../src/main/workers.js";
import { readConfig } from "../../src/runtime/config.js";

const SIGNS = {
  POLICY_SIGNING_KEY: "@/etc/key.pem",
  GITHUB_APP_ID: "7",
  GITHUB_APP_PRIVATE_KEY: "a key",
  GITHUB_APP_INSTALLATION_ID: "8",
};
const AWS = { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "secret", AWS_PROFILE: "ours" };
const AWS_PLACE = { AWS_REGION: "eu-1", AWS_ENDPOINT_URL: "https://s3.example.org" };
const JWT_SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef";
const DATABASE_URL = "postgres://u:p@127.0.0.1:5432/a";

function given(lane: Lane) {
  const env = {
    ...SIGNS,
    ...AWS,
    ...AWS_PLACE,
    JWT_SECRET,
    SLACK_BOT_TOKEN: "xoxb-1",
    ALGOBRAIN_HOME: "rel",
  };
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("\n"));
  const config = { ...read.value, home: "/home" };
  return workerEnvironment({ config, databaseUrl: DATABASE_URL }, env, lane);
}

test.each(LANES)(
  "a worker of the lane %s gets nothing that signs, and is rightly configured",
  (lane) => {
    const env = given(lane);
    expect(env).toMatchObject({ SLACK_BOT_TOKEN: "xoxb-1", DATABASE_URL, ALGOBRAIN_HOME: "/home" });
    for (const name of Object.keys(SIGNS)) expect(env[name], name).toBeUndefined();
    expect(env.JWT_SECRET).toMatch(/^[0-9a-f]{64}$/);
    expect(env.JWT_SECRET).not.toBe(JWT_SECRET);
    expect(readConfig(env).ok).toBe(true);
  },
);

test("only runbooks get what AWS knows us by", () => {
  expect(given("executor")).toMatchObject(AWS);
  for (const lane of ["general", "internal"] as const)
    for (const name of Object.keys(AWS)) expect(given(lane)[name], name).toBeUndefined();
});

test.each(LANES)(
  "a worker of the lane %s knows where AWS is, as exports go there with what it is lent",
  (lane) => {
    const env = given(lane);
    expect(env).toMatchObject(AWS_PLACE);
    const read = readConfig(env);
    expect(read.ok && [read.value.aws.endpointUrl, read.value.overrides.region]).toEqual([
      AWS_PLACE.AWS_ENDPOINT_URL,
      AWS_PLACE.AWS_REGION,
    ]);
  },
);
