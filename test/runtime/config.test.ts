import { describe, expect, it } from "vitest";
import { type Config, readConfig } from "../../src/runtime/config.js";
import type { Env } from "../../src/runtime/env-reader.js";

const DATABASE = "postgresql://app:s3cret-word@db.example:5432/algobrain";

function config(env: Env): Config {
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("; "));
  return read.value;
}

function problems(env: Env): { names: readonly string[]; message: string }[] {
  const read = readConfig(env);
  return read.ok ? [] : [...read.problems];
}

describe("readConfig", () => {
  it("gives the defaults of an empty environment", () => {
    expect(config({})).toMatchObject({
      environment: "local",
      home: ".algobrain",
      logLevel: "info",
      http: { host: "127.0.0.1", port: 3_001, rateLimitPerMinute: 100, corsOrigins: [] },
      database: { url: null, replicaUrl: null, ssl: false },
      redis: null,
      orchestrator: { pollIntervalMs: 5_000, maxConcurrentJobs: 100 },
      auth: { jwtSecrets: null },
      policySource: { kind: "directory", path: "policies" },
      overrides: { healingEnabled: null, concurrency: {}, poolSize: null },
    });
  });

  it("sends mail with a server and a sender, and with neither alone (X-37)", () => {
    const [SMTP_URL, SMTP_FROM] = ["smtp://ann:s3cret-word@mail.example:587", "a@b.example"];
    const read = readConfig({ SMTP_URL, SMTP_FROM });
    expect(config({ SMTP_URL, SMTP_FROM }).mail).toEqual({ url: SMTP_URL, from: SMTP_FROM });
    expect(read.ok && read.value.secrets).toContain("s3cret-word");
    expect(config({}).mail).toBeNull();
    for (const env of [{ SMTP_URL }, { SMTP_FROM }]) {
      expect(problems(env)).toMatchObject([{ names: ["SMTP_URL", "SMTP_FROM"] }]);
    }
  });

  it.each(["not a url", "https://sentry.example.com/1", "https://key@sentry.example.com/project"])(
    "refuses %s as SENTRY_DSN, and does not quote the key in it",
    (SENTRY_DSN) => {
      expect(problems({ SENTRY_DSN })).toMatchObject([{ names: ["SENTRY_DSN"] }]);
      expect(JSON.stringify(problems({ SENTRY_DSN }))).not.toContain("key@sentry");
    },
  );

  it("is frozen to its depth", () => {
    const read = config({ API_CORS_ORIGINS: "https://a.example" });
    expect(Object.isFrozen(read)).toBe(true);
    expect(Object.isFrozen(read.http.corsOrigins)).toBe(true);
  });

  it("reads the handbook's example", () => {
    const read = config({
      ALGOBRAIN_ENV: "production",
      DATABASE_URL: DATABASE,
      DATABASE_POOL_SIZE: "20",
      DATABASE_SSL: "true",
      REDIS_URL: "rediss://cache.example:6379",
      REDIS_TLS: "true",
      ORCHESTRATOR_POLL_INTERVAL_MS: "200",
      HEALDEC_ENABLED: "false",
      WORKER_CONCURRENCY_INDEX: "7",
      JWT_SECRET: `${"a".repeat(40)},${"b".repeat(40)}`,
      API_CORS_ORIGINS: "https://dashboard.example, https://admin.example",
      PAGERDUTY_WEBHOOK_SECRET: "one,two",
      POLICY_SOURCE: "s3://bundles/live/current.json",
    });
    expect(read.database.ssl).toBe(true);
    expect(read.redis?.tls).toBe(true);
    expect(read.orchestrator.pollIntervalMs).toBe(200);
    expect(read.overrides).toMatchObject({
      healingEnabled: false,
      concurrency: { index: 7 },
      poolSize: 20,
    });
    expect(read.auth.jwtSecrets).toHaveLength(2);
    expect(read.http.corsOrigins).toEqual(["https://dashboard.example", "https://admin.example"]);
    expect(read.pagerduty.webhookSecrets).toEqual(["one", "two"]);
    expect(read.policySource).toEqual({ kind: "s3", bucket: "bundles", key: "live/current.json" });
  });

  it("demands a database and a signing secret in production, both at once", () => {
    expect(problems({ ALGOBRAIN_ENV: "production" }).flatMap(({ names }) => names)).toEqual([
      "DATABASE_URL",
      "JWT_SECRET",
    ]);
  });

  it.each<[string, Env, string[]]>([
    [
      "two primaries",
      { DATABASE_URL: DATABASE, DATABASE_URL_PRIMARY: "postgresql://other/db" },
      ["DATABASE_URL", "DATABASE_URL_PRIMARY"],
    ],
    [
      "rediss with TLS off",
      { REDIS_URL: "rediss://cache:6379", REDIS_TLS: "false" },
      ["REDIS_URL", "REDIS_TLS"],
    ],
    [
      "two Redis passwords",
      { REDIS_URL: "redis://:one-word@cache:6379", REDIS_PASSWORD: "other-word" },
      ["REDIS_URL", "REDIS_PASSWORD"],
    ],
    [
      "TLS on and sslmode=disable",
      { DATABASE_URL: `${DATABASE}?sslmode=disable`, DATABASE_SSL: "true" },
      ["DATABASE_SSL", "DATABASE_URL"],
    ],
    [
      "TLS off and sslmode=require",
      { DATABASE_URL: `${DATABASE}?sslmode=require`, DATABASE_SSL: "false" },
      ["DATABASE_SSL", "DATABASE_URL"],
    ],
    [
      "a replica without a primary",
      { DATABASE_URL_REPLICA: DATABASE },
      ["DATABASE_URL_REPLICA", "DATABASE_URL"],
    ],
  ])("refuses %s and names both variables", (_what, env, names) => {
    const found = problems(env);
    expect(found).toHaveLength(1);
    expect(found[0]?.names).toEqual(names);
    for (const name of names) expect(found[0]?.message).toContain(name);
  });

  it("uses TLS for redis:// when REDIS_TLS says so", () => {
    expect(config({ REDIS_URL: "redis://cache:6379", REDIS_TLS: "true" }).redis?.tls).toBe(true);
  });

  it("tells all problems at once, each with what was found and what is expected", () => {
    const messages = problems({
      PORT: "eighty",
      LOG_LEVEL: "wran",
      DATABASE_SSL: "yes",
      WORKER_CONCURRENCY_GC: "0",
    }).map(({ message }) => message);
    expect(messages).toEqual([
      'LOG_LEVEL: found "wran", expected one of debug, info, warn, error (did you mean "warn"?)',
      'PORT: found "eighty", expected a whole number from 0 to 65535',
      'DATABASE_SSL: found "yes", expected true or false',
      'WORKER_CONCURRENCY_GC: found "0", expected a whole number from 1 to 10000',
    ]);
  });

  it("never quotes a URL, which may hold a password", () => {
    const [problem] = problems({ DATABASE_URL: "mysql://app:s3cret-word@db/x" });
    expect(problem?.message).toContain("expected a URL that starts with postgresql://");
    expect(problem?.message).not.toContain("s3cret-word");
  });

  it("lists every secret for redaction, also the passwords inside URLs", () => {
    const { secrets } = config({
      DATABASE_URL: "postgresql://app:p%40ss-word@db/x",
      GITHUB_TOKEN: "ghp-token",
      JWT_SECRET: "first-secret,second-secret",
    });
    expect(secrets).toEqual(["p@ss-word", "first-secret", "second-secret", "ghp-token"]);
  });

  it.each<[string, string | RegExp]>([
    ["DATABSE_URL", /did you mean "DATABASE_URL"/],
    ["WORKER_CONCURENCY_INDEX", /did you mean "WORKER_CONCURRENCY_INDEX"/],
    ["LOGLEVEL", /did you mean "LOG_LEVEL"/],
    ["ALGOBRAIN_FASTER", /ALGOBRAIN_FASTER is set but unknown/],
  ])("warns of %s, which has no effect (X-55)", (name, sentence) => {
    const read = readConfig({ [name]: "1" });
    expect(read.ok && read.warnings).toEqual([expect.stringMatching(sentence)]);
  });

  it("does not warn of names that are nobody's business", () => {
    const env = { HOME: "/root", PATH: "/bin", SHELL: "sh", LANGUAGE: "en", NODE_ENV: "test" };
    const read = readConfig({ ...env, GITHUB_ACTIONS: "true", AWS_PROFILE: "x" });
    expect(read.ok && read.warnings).toEqual([]);
  });
});
