/**
 * Credentials of others rotated through the real executor and adapter: secrets in an emulator of AWS, database users of a
 * real PostgreSQL, and a GitHub over a socket.
 */

import { CreateDBClusterCommand, RDSClient } from "@aws-sdk/client-rds";
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import rotateDbPassword from "../../../runbooks/rotate-db-password.js";
import rotateGithubToken from "../../../runbooks/rotate-github-token.js";
import rotateWebhookSecret from "../../../runbooks/rotate-webhook-secret.js";
import { createTokenCare } from "../../../src/adapter/github-token.js";
import { type Loopback, startLoopback } from "../../../src/adapter/stand-in/loopback.js";
import type { JsonObject } from "../../../src/base/json.js";
import { SecretText } from "../../../src/base/secret-text.js";
import type { RunbookHandlerDeps } from "../../../src/runtime/handler/runbook.js";
import { loginUser } from "../../../src/store/user-care.js";
import { makeAwsPlace } from "../../support/aws-world-place.js";
import { findMoto, NEEDS_MOTO } from "../../support/moto.js";
import { pathOf } from "../../support/rotation.js";
import { rehearse, takeBack } from "../../support/runbook.js";
import { makeHandlerDeps } from "../../support/runbook-world.js";
import { createTwoUsers, type TwoUsers } from "../../support/two-users.js";
import { MotoGround } from "./moto-ground.js";

const program = findMoto();
// A deployment of more tasks than the emulator begins with never ends there.
const READERS = ["orchestrator", "api"];
const MANAGED = "algobrain-managed";
const place = makeAwsPlace({ readersOf: () => READERS });
const OLD_TOKEN = "ghp_old-marker-000000000000000000000000";
const NEW_TOKEN = "ghp_new-marker-111111111111111111111111";
const OLD_KEY = "old-key-marker-of-deliveries-0123456789";

let moto: MotoGround;
let github: Loopback;
/** Tokens that GitHub takes. */
const taken = new Set([OLD_TOKEN, NEW_TOKEN]);

const secrets = () => new SecretsManagerClient(moto.settings());
async function keep(Name: string, SecretString: string): Promise<void> {
  await secrets().send(new CreateSecretCommand({ Name, SecretString }));
}
async function currentOf(name: string): Promise<string> {
  return (await moto.open().aws.readSecret({ name })).reveal();
}

const other = (): Partial<RunbookHandlerDeps> => ({ ...moto.other(), care: careOf() });
const run = (name: string, params: JsonObject = {}) =>
  rehearse(moto.ground, name, { params, other: other() });

/** As the program has it, with the GitHub of this test. */
function careOf(): RunbookHandlerDeps["care"] {
  const { care } = makeHandlerDeps(moto.ground.db, { directUrl: moto.ground.url });
  const tokens = createTokenCare({ apiUrl: github.url, repository: "acme/shop" });
  return (sql, actor, programs) => {
    const { database, system } = care(sql, actor, programs);
    return { database, system: { ...system, ...tokens } };
  };
}

function startGitHub(): Promise<Loopback> {
  return startLoopback(({ path, headers, body }) => {
    if (path === "/credentials/revoke") {
      for (const token of (JSON.parse(body) as { credentials: string[] }).credentials)
        taken.delete(token);
      return { status: 202, body: {} };
    }
    const token = String(headers.authorization).replace("Bearer ", "");
    return { status: taken.has(token) ? 200 : 401, body: {} };
  });
}

/** Everything that people, logs and later readers may see of all runs here. */
async function allThatIsSeen(): Promise<string> {
  const { rows } = await moto.ground.db.query<{ text: string }>(
    `SELECT coalesce(string_agg(t, ' '), '') AS text FROM (
       SELECT to_jsonb(r)::text AS t FROM control.run r
       UNION ALL SELECT to_jsonb(s)::text FROM control.run_step s
       UNION ALL SELECT to_jsonb(l)::text FROM control.run_line l
       UNION ALL SELECT to_jsonb(a)::text FROM public.audit_log a) AS all_of_it`,
  );
  return `${rows[0]!.text} ${JSON.stringify(moto.calls)}`;
}

describe.skipIf(program === null)(`${NEEDS_MOTO} runbooks that rotate credentials`, () => {
  beforeAll(async () => {
    github = await startGitHub();
    moto = await MotoGround.open(program ?? "", place, [
      ...[rotateDbPassword, rotateGithubToken, rotateWebhookSecret],
    ]);
    await moto.settle(READERS);
    moto.place = { ...place, databaseCluster: MANAGED };
  });
  afterAll(async () => {
    await moto?.close();
    await github?.close();
  });

  test("HB-op-51, X-78: the token that waits is tried, used and read, and GitHub takes the old one no more", async () => {
    await keep(pathOf("github-token"), OLD_TOKEN);
    await secrets().send(
      new PutSecretValueCommand({
        ...{ SecretId: pathOf("github-token"), SecretString: NEW_TOKEN },
        VersionStages: ["AWSPENDING"],
      }),
    );
    const before = moto.asked("UpdateService").length;
    const { run: ended } = await run("rotate-github-token");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.outcome).toContain("the old token is revoked");
    expect(await currentOf(pathOf("github-token"))).toBe(NEW_TOKEN);
    expect([...taken]).toEqual([NEW_TOKEN]);
    expect(moto.asked("UpdateService").length - before).toBe(READERS.length);
    // Nothing goes back to a token that is revoked.
    await takeBack(moto.ground, ended, { other: other() });
    expect(await currentOf(pathOf("github-token"))).toBe(NEW_TOKEN);
  });

  test("HB-sec-08, HB-sec-02: deliveries are accepted by two secrets, then by the newer alone, and back", async () => {
    await keep(pathOf("webhook-secret"), OLD_KEY);
    const added = await run("rotate-webhook-secret", { part: "add" });
    expect(added.run).toMatchObject({ status: "succeeded", verified: true });
    const [fresh, ...others] = (await currentOf(pathOf("webhook-secret"))).split(",");
    expect(others).toEqual([OLD_KEY]);
    const early = await run("rotate-webhook-secret", { part: "drop" });
    expect(early.run.outcome).toContain("found less than 10m since");
    const dropped = await run("rotate-webhook-secret", { part: "drop", overlap: "0s" });
    expect(dropped.run).toMatchObject({ status: "succeeded", verified: true });
    expect(await currentOf(pathOf("webhook-secret"))).toBe(fresh);
    await takeBack(moto.ground, dropped.run, { other: other() });
    expect(await currentOf(pathOf("webhook-secret"))).toBe(`${fresh},${OLD_KEY}`);
  });

  test("HB-op-52, X-33: of two users of a real database the idle one gets a password by the master user of RDS, and the old one is locked out, twice", async () => {
    const users = await createTwoUsers();
    try {
      await keep(pathOf("database-url"), users.applicationUrl);
      await keepMaster(users);
      for (const [used, old] of ["ba", "ab"]) {
        const before = await currentOf(pathOf("database-url"));
        expect(await userOf(before)).toBe(`${users.group}_${old}`);
        const { run: ended } = await run("rotate-db-password");
        expect(ended).toMatchObject({ status: "succeeded", verified: true });
        const after = await currentOf(pathOf("database-url"));
        expect(await userOf(after)).toBe(`${users.group}_${used}`);
        await expect(userOf(before)).rejects.toMatchObject({ code: "DATABASE_LOGIN_REFUSED" });
        const seen = await allThatIsSeen();
        for (const address of [before, after])
          expect(seen).not.toContain(new URL(address).password);
      }
    } finally {
      await users.drop();
    }
  });

  const userOf = (address: string) => loginUser(new SecretText(address), false);

  /** RDS keeps its login in a secret of its own making; the emulator's is one of no database. */
  async function keepMaster({ ownerUrl }: TwoUsers): Promise<void> {
    const { DBCluster } = await new RDSClient(moto.settings()).send(
      new CreateDBClusterCommand({
        ...{ DBClusterIdentifier: MANAGED, Engine: "aurora-postgresql" },
        ...{ MasterUsername: "migrator", ManageMasterUserPassword: true },
      }),
    );
    const { username, password } = new URL(ownerUrl);
    await secrets().send(
      new PutSecretValueCommand({
        SecretId: DBCluster?.MasterUserSecret?.SecretArn ?? "",
        SecretString: JSON.stringify({ username, password }),
      }),
    );
  }

  test("X-31: no value is in a row, a line, the audit or a record of a call", async () => {
    const seen = await allThatIsSeen();
    expect(seen).toContain("PutSecretValue");
    const keys = (await currentOf(pathOf("webhook-secret"))).split(",");
    for (const value of [OLD_TOKEN, NEW_TOKEN, ...keys]) expect(seen).not.toContain(value);
  });
});
