/**
 * Runbooks that rotate and look, through the real executor and adapter against an emulator of AWS: real requests, real
 * versions and stages. What it does not know (a cache that refuses a token, lines of a task) is rehearsed in test/runbooks.
 */
import { readdir, readFile } from "node:fs/promises";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import rotateJwtSecret from "../../../runbooks/rotate-jwt-secret.js";
import rotateRedisPassword from "../../../runbooks/rotate-redis-password.js";
import verifyLogGroups from "../../../runbooks/verify-log-groups.js";
import { createAws } from "../../../src/adapter/aws.js";
import type { AwsLease } from "../../../src/adapter/aws-lease.js";
import { systemClock } from "../../../src/base/clock.js";
import type { JsonObject } from "../../../src/base/json.js";
import type { AwsCallRecord } from "../../../src/runbook/aws-port.js";
import type { RunbookHandlerDeps } from "../../../src/runtime/handler/runbook.js";
import { leaseLeft } from "../../../src/store/run-leases.js";
import { makeAwsPlace } from "../../support/aws-world-place.js";
import {
  findMoto,
  MOTO_CREDENTIALS,
  MOTO_REGION,
  type Moto,
  NEEDS_MOTO,
  startMoto,
} from "../../support/moto.js";
import { pathOf } from "../../support/rotation.js";
import { openGround, type RunbookGround, rehearse, takeBack } from "../../support/runbook.js";
import { makeRegistry } from "../../support/runbook-world.js";
import { HEARTBEATS_TABLE, makeEstate } from "../aws/moto-estate.js";

const moto = findMoto();
// A deployment of more tasks than the emulator begins with never ends there.
const READERS = ["orchestrator", "api"];
const place = makeAwsPlace({ distributionId: null, readersOf: () => READERS });
const OLD_KEY = "old-key-marker-of-the-emulator-0123456789";
const OLD_TOKEN = "a-first-token-of-the-cache";

let server: Moto;
let ground: RunbookGround;
const calls: AwsCallRecord[] = [];
/** Argument lists of every process of this machine that we may see, taken at each call. */
const argvs = new Set<string>();

function open(lease?: AwsLease) {
  return createAws({
    access: { region: MOTO_REGION, endpointUrl: server.url, credentials: MOTO_CREDENTIALS },
    ...{ place: () => place, signal: new AbortController().signal, clock: systemClock },
    ...{ namespace: () => "AlgoBrain", heartbeatsTable: () => HEARTBEATS_TABLE },
    onCall: (record) => void calls.push(record),
    timeoutMs: 60_000,
    ...(lease && { lease }),
  });
}

const other: Partial<RunbookHandlerDeps> = {
  openAws: async (held, { danger }) => {
    const { aws, close } = open(() => leaseLeft(ground.db, held, danger !== "R"));
    const putSecret: typeof aws.putSecret = async (request) => {
      const answer = await aws.putSecret(request);
      await noteArguments();
      return answer;
    };
    return { aws: { ...aws, putSecret }, close };
  },
};
const run = (name: string, params: JsonObject = {}) => rehearse(ground, name, { params, other });
const currentOf = async (secret: string) =>
  (await open().aws.readSecret({ name: pathOf(secret) })).reveal();
const stagesOf = async (secret: string) =>
  (await open().aws.secret(pathOf(secret)))!.versions.flatMap(({ stages }) => stages).sort();

async function noteArguments(): Promise<void> {
  const ids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  // Some have ended since they were listed.
  for (const id of ids) argvs.add(await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => ""));
}

/** Everything that people, logs and later readers may see of all runs here. */
async function allThatIsSeen(): Promise<string> {
  const { rows } = await ground.db.query<{ text: string }>(
    `SELECT coalesce(string_agg(t, ' '), '') AS text FROM (
       SELECT to_jsonb(r)::text AS t FROM control.run r
       UNION ALL SELECT to_jsonb(s)::text FROM control.run_step s
       UNION ALL SELECT to_jsonb(l)::text FROM control.run_line l
       UNION ALL SELECT to_jsonb(a)::text FROM public.audit_log a) AS all_of_it`,
  );
  return [rows[0]!.text, JSON.stringify(calls), ...argvs].join("\n");
}

describe.skipIf(moto === null)(`${NEEDS_MOTO} runbooks that rotate and look`, () => {
  beforeAll(async () => {
    server = await startMoto(moto ?? "");
    await makeEstate(server.url, place);
    // As many run as are wanted, once they were asked for.
    for (const service of READERS)
      await open().aws.updateService({ service, desired: place.services[service]!.desired });
    const settings = { region: MOTO_REGION, credentials: MOTO_CREDENTIALS, endpoint: server.url };
    const secrets = new SecretsManagerClient(settings);
    for (const [secret, SecretString] of [
      ["jwt-secret", OLD_KEY],
      ["redis-password", OLD_TOKEN],
    ] as const)
      await secrets.send(new CreateSecretCommand({ Name: pathOf(secret), SecretString }));
    ground = await openGround(makeRegistry(rotateJwtSecret, rotateRedisPassword, verifyLogGroups));
  });
  afterAll(async () => {
    await ground?.drop();
    await server?.close();
  });

  test("HB-op-53, X-34: a new key beside the old one, then alone, and back", async () => {
    const added = await run("rotate-jwt-secret");
    expect(added.run).toMatchObject({ status: "succeeded", verified: true });
    const [fresh, ...others] = (await currentOf("jwt-secret")).split(",");
    expect(others).toEqual([OLD_KEY]);
    expect(await stagesOf("jwt-secret")).toEqual(["AWSCURRENT", "AWSPREVIOUS"]);
    const dropped = await run("rotate-jwt-secret", { part: "drop", overlap: "0s" });
    expect(dropped.run).toMatchObject({ status: "succeeded", verified: true });
    expect(await currentOf("jwt-secret")).toBe(fresh);
    await takeBack(ground, dropped.run, { other });
    expect(await currentOf("jwt-secret")).toBe(`${fresh},${OLD_KEY}`);
  });

  test("HB-sec-08: the cache gets a token of its kind, and the services read it", async () => {
    const { run: ended } = await run("rotate-redis-password");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await currentOf("redis-password")).toMatch(/^[A-Za-z0-9]{64}$/);
    const changes = calls.filter(({ operation }) => operation === "ModifyReplicationGroup");
    expect(changes.map(({ status }) => status)).toEqual(["ok", "ok"]);
  });

  test("HB-aws-18, X-27: a group that keeps its lines for ever is found", async () => {
    const { run: ended } = await run("verify-log-groups");
    expect(ended.status).toBe("failed");
    expect(ended.outcome).toContain("1 of 4 log groups are not as the policy says");
    expect(ended.outcome).toContain("/ecs/algobrain-api: found for ever, expected 30 days");
  });

  test("X-31: no value is in a row, a line, the audit, a record of a call or any argument list", async () => {
    await noteArguments();
    const seen = await allThatIsSeen();
    expect(seen).toContain("PutSecretValue");
    expect(seen).toContain("moto_server");
    const values = [OLD_KEY, OLD_TOKEN, await currentOf("redis-password")];
    for (const value of [...values, ...(await currentOf("jwt-secret")).split(",")])
      expect(seen).not.toContain(value);
  });
});
