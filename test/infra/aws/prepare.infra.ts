/**
 * GIVEN an environment as its cluster stack leaves it: secrets without values, an empty database; THEN the real program,
 * killed in the midst and twice at once, leaves one login that works, and shows no value to anybody (X-33, HB-aws-24).
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  CreateClusterCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
} from "@aws-sdk/client-ecs";
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { groundOf } from "../../../src/adapter/aws.js";
import { createFirstSecrets, runWhereTagged } from "../../../src/adapter/aws-first.js";
import { systemClock } from "../../../src/base/clock.js";
import { SecretText } from "../../../src/base/secret-text.js";
import type { PolicySet } from "../../../src/policy/policy.js";
import { secretsInUse } from "../../../src/policy/secret-uses.js";
import { type AwsEstate, awsEstate } from "../../../src/runbook/aws-place.js";
import { loginUser } from "../../../src/store/user-care.js";
import { BIN, bin, ROOT } from "../../cli/support.js";
import { createEmptyDatabase, type TestDatabase } from "../../support/database.js";
import {
  findMoto,
  MOTO_CREDENTIALS,
  MOTO_REGION,
  type Moto,
  NEEDS_MOTO,
  startMoto,
} from "../../support/moto.js";
import { repositoryPolicy } from "../../support/repository-policy.js";
import { defaultNetwork } from "./moto-estate.js";

const moto = findMoto();
const GROUP = "algobrain_app";
const OWNER = `first_owner_${randomBytes(4).toString("hex")}`;
const RUN_MS = 120_000;

let server: Moto;
let database: TestDatabase;
let policy: PolicySet;
let place: AwsEstate;
let ownerUrl: string;

describe.skipIf(moto === null)(`${NEEDS_MOTO} before there are services`, () => {
  beforeAll(async () => {
    server = await startMoto(moto ?? "");
    policy = await repositoryPolicy("production");
    place = awsEstate(policy, { queries: {}, distributionId: null });
    for (const { name } of secretsInUse(policy))
      await secretsManager().send(new CreateSecretCommand({ Name: place.secretOf(name) }));
    await makeDatabase();
  });
  afterAll(async () => {
    await dropRoles();
    await database?.drop();
    await server?.close();
  });

  test("one that is killed leaves what the next ones, two at once, make whole: one login, in the secret alone", async () => {
    await killedAfter("migrations");
    expect(await storedValue("database-url")).toBeNull();

    const answers = await Promise.all([prepare(), prepare()]);
    expect(answers.map(({ code }) => code)).toEqual([0, 0]);
    const said = answers.map(({ out }) => out).join("\n");
    expect(said.match(/database-url: algobrain_app_a can log in with it/g)).toHaveLength(1);

    const address = (await storedValue("database-url")) ?? "";
    expect(await loginUser(new SecretText(address), false)).toBe(`${GROUP}_a`);
    for (const { name, made } of secretsInUse(policy)) {
      const value = await storedValue(name);
      expect({ name, has: value !== null }).toEqual({ name, has: made !== undefined });
      if (value !== null) expect(said).not.toContain(value);
    }
    expect(said).not.toContain(new URL(address).password);
    expect((await storedValue("jwt-secret"))?.length).toBeGreaterThanOrEqual(32);
  });

  test("the next one leaves every value as it is", async () => {
    const before = await Promise.all(secretsInUse(policy).map(({ name }) => storedValue(name)));
    const { code, out } = await prepare();
    expect([code, out.match(/has a value already/g)?.length]).toEqual([0, 4]);
    expect(await Promise.all(secretsInUse(policy).map(({ name }) => storedValue(name)))).toEqual(
      before,
    );
  });

  test("what only a person has is named before services are made, and no task is run for it", async () => {
    const ask = () => bin(["infra", "prepare"], { env: fromOutside(), timeoutMs: RUN_MS });
    const { code, err } = await ask();
    const theirs = secretsInUse(policy).filter(({ made }) => made === undefined);
    expect([code, err.match(/found no value/g)?.length]).toEqual([1, theirs.length]);
    expect(err).toContain("algobrain/prod/github-token: found no value");
    for (const { name } of theirs)
      await secretsManager().send(
        new PutSecretValueCommand({ SecretId: place.secretOf(name), SecretString: "a-token" }),
      );
    expect(await ask()).toMatchObject({ code: 0, out: expect.stringContaining("have a value") });
  });

  test("a first value never takes the place of another, whoever put that", async () => {
    const name = "algobrain/prod/somebody-elses";
    await secretsManager().send(new CreateSecretCommand({ Name: name, SecretString: "theirs" }));
    const secrets = createFirstSecrets(ground());
    expect(await secrets.putFirst(name, new SecretText("ours"))).toBe(false);
    expect(await secrets.putFirst(name, new SecretText("another"))).toBe(false);
    expect((await secrets.read(name)).reveal()).toBe("theirs");
  });

  test("of two who put at once one is told that the other was first; the same call again is the same one", async () => {
    const name = "algobrain/prod/raced";
    await secretsManager().send(new CreateSecretCommand({ Name: name }));
    const secrets = createFirstSecrets(ground());
    expect(await secrets.hasValue(name)).toBe(false);
    expect(await secrets.putFirst(name, new SecretText("one"))).toBe(true);
    expect(await secrets.putFirst(name, new SecretText("one"))).toBe(true);
    expect(await secrets.putFirst(name, new SecretText("two"))).toBe(false);
    expect((await secrets.read(name)).reveal()).toBe("one");
  });

  test("the task runs where its tags say, and one without them is refused", async () => {
    const ecs = new ECSClient(settings());
    await ecs.send(new CreateClusterCommand({ clusterName: place.cluster }));
    const { subnets, groups } = await defaultNetwork(server.url, place);
    const register = (family: string, tags: { key: string; value: string }[]) =>
      ecs.send(
        new RegisterTaskDefinitionCommand({
          ...{ family, tags, networkMode: "awsvpc", requiresCompatibilities: ["FARGATE"] },
          ...{ cpu: "256", memory: "512" },
          // The emulator asks for memory where Fargate does not.
          containerDefinitions: [{ name: "prepare", image: "x:1", memory: 128 }],
        }),
      );
    await register(place.preparationFamily, [
      { key: "subnets", value: subnets.join(" ") },
      { key: "groups", value: groups.join(" ") },
    ]);
    await register("algobrain-untagged", [{ key: "subnets", value: "subnet-1" }]);
    expect(await runWhereTagged(ground(), place.preparationFamily)).toMatch(/^[\w-]+$/);
    await expect(runWhereTagged(ground(), "algobrain-untagged")).rejects.toMatchObject({
      code: "AWS_ANSWER_INVALID",
      message: expect.stringContaining("found no tag groups"),
    });
  });
});

const settings = () => ({
  ...{ region: MOTO_REGION, endpoint: server.url, credentials: MOTO_CREDENTIALS, maxAttempts: 1 },
});
const secretsManager = () => new SecretsManagerClient(settings());

function ground() {
  return groundOf({
    access: { region: MOTO_REGION, endpointUrl: server.url, credentials: MOTO_CREDENTIALS },
    ...{ place: () => place, clock: systemClock, onCall: () => {} },
    signal: new AbortController().signal,
  });
}

/** Null: it has no value. */
async function storedValue(name: string): Promise<string | null> {
  const command = new GetSecretValueCommand({ SecretId: place.secretOf(name) });
  return secretsManager()
    .send(command)
    .then(({ SecretString }) => SecretString ?? null)
    .catch((error: Error) => {
      if (error.name === "ResourceNotFoundException") return null;
      throw error;
    });
}

/** As the task has it. */
function variables(): Record<string, string> {
  return {
    ...{ ALGOBRAIN_ENV: "production", DATABASE_URL: ownerUrl, DATABASE_SSL: "false" },
    ...{ AWS_ENDPOINT_URL: server.url, AWS_REGION: MOTO_REGION },
    AWS_ACCESS_KEY_ID: MOTO_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: MOTO_CREDENTIALS.secretAccessKey,
  };
}

/** As a workflow has it: no database, and no secret of ours. */
function fromOutside(): Record<string, string> {
  const { ALGOBRAIN_ENV: _, DATABASE_URL: __, DATABASE_SSL: ___, ...rest } = variables();
  return rest;
}

function prepare() {
  return bin(["db", "prepare"], { env: variables(), timeoutMs: RUN_MS });
}

/** SIGKILL as soon as it has said so. */
async function killedAfter(word: string): Promise<void> {
  const child = spawn(process.execPath, [BIN, "db", "prepare"], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...variables() },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (said.includes(word)) child.kill("SIGKILL");
  });
  const signal = await new Promise((resolve) => child.once("close", (_, by) => resolve(by)));
  expect([signal, said]).toEqual(["SIGKILL", expect.stringContaining(word)]);
}

/** Of an owner who is no superuser, as RDS gives it. */
async function makeDatabase(): Promise<void> {
  database = await createEmptyDatabase();
  await dropRoles();
  const name = new URL(database.url).pathname.slice(1);
  await database.db.query(
    `CREATE ROLE ${OWNER} LOGIN CREATEROLE CREATEDB PASSWORD 'of-the-owner-0123456789';
     ALTER DATABASE ${name} OWNER TO ${OWNER}`,
  );
  const url = new URL(inject("databaseServerUrl"));
  Object.assign(url, {
    pathname: `/${name}`,
    username: OWNER,
    password: "of-the-owner-0123456789",
  });
  ownerUrl = url.href;
}

/** They belong to the whole server. */
async function dropRoles(): Promise<void> {
  if (!database) return;
  for (const name of [`${GROUP}_a`, `${GROUP}_b`, GROUP, OWNER]) {
    const { rowCount } = await database.db.query("SELECT FROM pg_roles WHERE rolname = $1", [name]);
    if (rowCount === 0) continue;
    if (name === OWNER) await database.db.query(`REASSIGN OWNED BY ${name} TO CURRENT_USER`);
    await database.db.query(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name}`);
  }
}
