/**
 * Runbooks that deploy and scale, through the real executor and adapter against an emulator of AWS: real requests, real
 * state. It starts no task and knows no breaker: how those go is rehearsed in test/runbooks.
 */
import {
  CloudWatchClient,
  PutMetricAlarmCommand,
  SetAlarmStateCommand,
  type StateValue,
} from "@aws-sdk/client-cloudwatch";
import {
  DescribeTaskDefinitionCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
} from "@aws-sdk/client-ecs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import deployServices from "../../../runbooks/deploy-services.js";
import postDeployVerify from "../../../runbooks/post-deploy-verify.js";
import restartService from "../../../runbooks/restart-service.js";
import rollbackDeployment from "../../../runbooks/rollback-deployment.js";
import scaleService from "../../../runbooks/scale-service.js";
import showCapacity from "../../../runbooks/show-capacity.js";
import { createAwsSigns } from "../../../src/adapter/aws.js";
import { askPaths } from "../../../src/adapter/critical-paths.js";
import { type Loopback, startLoopback } from "../../../src/adapter/stand-in/loopback.js";
import { systemClock } from "../../../src/base/clock.js";
import type { JsonObject } from "../../../src/base/json.js";
import { listTemporaryChanges } from "../../../src/store/temporary-changes.js";
import { makeAwsPlace } from "../../support/aws-world-place.js";
import { findMoto, MOTO_CREDENTIALS, MOTO_REGION, NEEDS_MOTO } from "../../support/moto.js";
import { careWithPaths } from "../../support/paths-care.js";
import { rehearse, takeBack } from "../../support/runbook.js";
import { FIRST_TAG, HEARTBEATS_TABLE } from "../aws/moto-estate.js";
import { MotoGround } from "./moto-ground.js";

const program = findMoto();
const ALARMS = ["algobrain-prod-dead-man", "algobrain-prod-queue-depth-high-AR-01"];
const place = makeAwsPlace({ distributionId: null, alarms: ALARMS });
const NEXT_TAG = "b".repeat(40);

let moto: MotoGround;
let api: Loopback;
/** What the API answers. */
let status = 200;

const other = () => {
  const asked = { origin: api.url, paths: ["/health", "/health/live"], timeoutMs: 30_000 };
  const care = careWithPaths(moto.ground, (signal) => askPaths({ ...asked, signal }));
  return { ...moto.other(), care };
};
const run = (name: string, params: JsonObject) =>
  rehearse(moto.ground, name, { params, other: other() });
const service = (name: string) => moto.open().aws.service(name);

async function setAlarm(AlarmName: string, state: StateValue): Promise<void> {
  const cloudwatch = new CloudWatchClient(moto.settings());
  await cloudwatch.send(
    new SetAlarmStateCommand({ AlarmName, StateValue: state, StateReason: "the test says so" }),
  );
}

async function makeAlarms(): Promise<void> {
  const cloudwatch = new CloudWatchClient(moto.settings());
  for (const AlarmName of ALARMS) {
    const metric = { Namespace: "AlgoBrain", MetricName: "Heartbeat", Statistic: "Sum" } as const;
    const rule = { ComparisonOperator: "LessThanThreshold", Threshold: 1 } as const;
    await cloudwatch.send(
      new PutMetricAlarmCommand({
        AlarmName,
        ...metric,
        ...rule,
        Period: 60,
        EvaluationPeriods: 3,
      }),
    );
    await setAlarm(AlarmName, "OK");
  }
}

/** As the stacks leave the task that changes the schema. */
async function makeMigration(): Promise<void> {
  const { account, region, migrationFamily: family } = place;
  const image = `${account}.dkr.ecr.${region}.amazonaws.com/algobrain-workers:${FIRST_TAG}`;
  await new ECSClient(moto.settings()).send(
    new RegisterTaskDefinitionCommand({
      ...{ family, networkMode: "awsvpc", requiresCompatibilities: ["FARGATE"] },
      ...{ cpu: "256", memory: "512" },
      containerDefinitions: [{ name: "migrate", image, memory: 128, essential: true }],
    }),
  );
}

async function definitionOf(arn: string) {
  const command = new DescribeTaskDefinitionCommand({ taskDefinition: arn });
  const { taskDefinition } = await new ECSClient(moto.settings()).send(command);
  const { containerDefinitions = [], cpu, memory, networkMode, family } = taskDefinition ?? {};
  return { containerDefinitions, cpu, memory, networkMode, family };
}

describe.skipIf(program === null)(`${NEEDS_MOTO} runbooks that deploy and scale`, () => {
  beforeAll(async () => {
    api = await startLoopback(() => ({ status, body: {} }));
    moto = await MotoGround.open(program ?? "", place, [
      ...[deployServices, postDeployVerify],
      ...[restartService, rollbackDeployment, scaleService, showCapacity],
    ]);
    for (const name of ["api", "orchestrator", "workers"]) await moto.pushImage(name, NEXT_TAG);
    await makeMigration();
    await makeAlarms();
    await moto.endTasksAfter(1);
    await moto.settle(["api", "orchestrator"]);
    await beatForAnHour();
    await moto.ground.db.query(
      "INSERT INTO workers (id, kinds, last_heartbeat) VALUES ('general-worker-1', '{index}', now() + interval '1 hour')",
    );
  });
  afterAll(async () => {
    await moto?.close();
    await api?.close();
  });

  /** The clock of a rehearsal runs faster than time. */
  async function beatForAnHour(): Promise<void> {
    const signs = createAwsSigns({
      access: { region: MOTO_REGION, endpointUrl: moto.server.url, credentials: MOTO_CREDENTIALS },
      ...{ place: () => place, signal: new AbortController().signal, clock: systemClock },
      ...{ onCall: () => {}, timeoutMs: 60_000 },
    });
    const at = new Date(systemClock.now().getTime() + 3_600_000);
    const beat = { service: "orchestrator", at, leader: "host/1", cycle: 7 };
    await signs.putHeartbeat(HEARTBEATS_TABLE, beat);
    await signs.close();
  }

  test("X-20, X-21, X-23: a deployment registers a copy with another image, and asks for no number of tasks", async () => {
    const before = await definitionOf((await service("api")).taskDefinition);
    const params = { env: "production", tag: NEXT_TAG, services: "orchestrator,api", watch: "1s" };
    const { run: ended } = await run("deploy-services", params);
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await service("api")).toMatchObject({ revision: 2, imageTag: NEXT_TAG, desired: 2 });
    const after = await definitionOf((await service("api")).taskDefinition);
    const image = before.containerDefinitions[0]?.image?.replace(FIRST_TAG, NEXT_TAG);
    const [container] = before.containerDefinitions;
    expect(after).toEqual({ ...before, containerDefinitions: [{ ...container, image }] });
    const updates = moto.asked("UpdateService").slice(-2);
    expect(updates.map(({ target, keys }) => [target, keys])).toEqual([
      ["algobrain-prod/orchestrator", ["cluster", "service", "taskDefinition"]],
      ["algobrain-prod/api", ["cluster", "service", "taskDefinition"]],
    ]);
    // HB-aws-24: the schema was changed by a task of its own, which ran to its end.
    expect(moto.asked("RunTask")).toMatchObject([{ status: "ok" }]);
    const [migration] = await moto.open().aws.revisions("algobrain-migrate", 1);
    expect(migration).toMatchObject({ revision: 2, imageTag: NEXT_TAG });
    const made = `algobrain-prod-${ended.id}-${NEXT_TAG.slice(0, 12)}`;
    expect((await moto.open().aws.snapshots(10)).map(({ id }) => id)).toContain(made);
  });

  test("what was deployed works: services, one commit, heartbeat, workers, errors, paths, alarms (HB-cli-14, BQ-op-26)", async () => {
    const params = { tag: NEXT_TAG, services: "orchestrator,api" };
    const { run: ended } = await run("post-deploy-verify", params);
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.output?.table?.rows.map(([what, is]) => [what, is])).toEqual(
      [
        ...["orchestrator", "api", "heartbeat", "workers", "errors"],
        ...["GET /health", "GET /health/live", "alarms"],
      ].map((what) => [what, "passed"]),
    );
    expect(moto.asked("DescribeAlarms")[0]).toMatchObject({ status: "ok" });
  });

  test("BQ-op-26: an alarm that rings and a path that answers 503 are each a deployment that does not work", async () => {
    const params = { tag: NEXT_TAG, services: "orchestrator,api" };
    await setAlarm(ALARMS[1] ?? "", "ALARM");
    const rung = await run("post-deploy-verify", params);
    expect(rung.run).toMatchObject({ status: "failed" });
    expect(rung.run.outcome).toContain(`1 of 2 ring: ${ALARMS[1]}`);
    await setAlarm(ALARMS[1] ?? "", "OK");
    status = 503;
    const ill = await run("post-deploy-verify", params);
    status = 200;
    expect(ill.run.status).toBe("failed");
    expect(ill.run.outcome).toContain("GET /health: it answered 503, expected 200");
  });

  test("the revision before comes back, and undo goes on again", async () => {
    const rolled = await run("rollback-deployment", { service: "api" });
    expect(rolled.run).toMatchObject({ status: "succeeded", verified: true });
    expect(await service("api")).toMatchObject({ revision: 1, imageTag: FIRST_TAG });
    const back = await takeBack(moto.ground, rolled.run, { other: other() });
    expect(back.run.status).toBe("succeeded");
    expect(await service("api")).toMatchObject({ revision: 2, imageTag: NEXT_TAG });
  });

  test("HB-cli-22: 5 tasks for a while, and 11 or 1 never", async () => {
    const scaled = await run("scale-service", { service: "api", count: 5 });
    expect(scaled.run).toMatchObject({ status: "succeeded", verified: true });
    expect(await service("api")).toMatchObject({ desired: 5, running: 5 });
    expect(await listTemporaryChanges(moto.ground.db)).toMatchObject([{ before: 2, after: 5 }]);
    for (const count of [11, 1]) {
      const { run: refused } = await run("scale-service", { service: "api", count });
      expect(refused.outcome).toContain(`found ${count}, expected 2 to 10`);
    }
    await takeBack(moto.ground, scaled.run, { other: other() });
    expect(await service("api")).toMatchObject({ desired: 2 });
    expect(await listTemporaryChanges(moto.ground.db)).toEqual([]);
  });

  test("HB-cli-21: three numbers of each service, and its bounds", async () => {
    const { run: ended } = await run("show-capacity", {});
    expect(ended.output?.table?.rows.find(([name]) => name === "api")).toEqual([
      ...["api", "2", "2", "0", "2–10", "2", NEXT_TAG.slice(0, 12)],
    ]);
  });

  test("HB-cli-33: a restart is a new deployment of the same revision", async () => {
    const before = await service("orchestrator");
    const { run: ended } = await run("restart-service", { service: "orchestrator" });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const after = await service("orchestrator");
    expect(after.taskDefinition).toBe(before.taskDefinition);
    expect(after.deployments[0]?.id).not.toBe(before.deployments[0]?.id);
  });
});
