/**
 * Runbooks that deploy and scale, through the real executor and adapter against an emulator of AWS: real requests, real
 * state. It starts no task and knows no breaker: how those go is rehearsed in test/runbooks.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ECRClient, PutImageCommand } from "@aws-sdk/client-ecr";
import { DescribeTaskDefinitionCommand, ECSClient } from "@aws-sdk/client-ecs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import buildAndPushImages from "../../../runbooks/build-and-push-images.js";
import deployFrontend from "../../../runbooks/deploy-frontend.js";
import deployServices from "../../../runbooks/deploy-services.js";
import postDeployVerify from "../../../runbooks/post-deploy-verify.js";
import restartService from "../../../runbooks/restart-service.js";
import rollbackDeployment from "../../../runbooks/rollback-deployment.js";
import scaleService from "../../../runbooks/scale-service.js";
import showCapacity from "../../../runbooks/show-capacity.js";
import { createAws, createAwsSigns } from "../../../src/adapter/aws.js";
import { createShell } from "../../../src/adapter/shell.js";
import { systemClock } from "../../../src/base/clock.js";
import type { JsonObject } from "../../../src/base/json.js";
import type { AwsCallRecord } from "../../../src/runbook/aws-port.js";
import { listTemporaryChanges } from "../../../src/store/temporary-changes.js";
import { makeAwsPlace } from "../../support/aws-world-place.js";
import {
  findMoto,
  MOTO_CREDENTIALS,
  MOTO_REGION,
  type Moto,
  NEEDS_MOTO,
  startMoto,
} from "../../support/moto.js";
import {
  expectedShell,
  openGround,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../../support/runbook.js";
import { makeRegistry } from "../../support/runbook-world.js";
import { FIRST_TAG, HEARTBEATS_TABLE, makeEstate } from "../aws/moto-estate.js";

const moto = findMoto();
// Its CDN is rehearsed in test/runbooks.
const place = makeAwsPlace({ distributionId: null });
const NEXT_TAG = "b".repeat(40);

let server: Moto;
let ground: RunbookGround;
let calls: AwsCallRecord[] = [];

const options = () => ({
  access: { region: MOTO_REGION, endpointUrl: server.url, credentials: MOTO_CREDENTIALS },
  place: () => place,
  signal: new AbortController().signal,
  clock: systemClock,
  onCall: (record: AwsCallRecord) => void calls.push(record),
  timeoutMs: 60_000,
});
function open() {
  const { aws, close } = createAws({
    ...options(),
    ...{ namespace: () => "AlgoBrain", heartbeatsTable: () => HEARTBEATS_TABLE },
  });
  // The emulator lists the oldest first, whichever order it is asked for.
  const revisions: typeof aws.revisions = async (family, max) =>
    (await aws.revisions(family, 50)).slice(0, max);
  return { aws: { ...aws, revisions }, close };
}
const other = { openAws: async () => ({ ...open(), enforced: false }) };
const run = (name: string, params: JsonObject) => rehearse(ground, name, { params, other });
const service = (name: string) => open().aws.service(name);
const settings = () => ({
  ...{ region: MOTO_REGION, credentials: MOTO_CREDENTIALS, endpoint: server.url },
});

async function pushImages(tag: string): Promise<void> {
  const ecr = new ECRClient(settings());
  for (const name of ["api", "orchestrator"])
    await ecr.send(
      new PutImageCommand({
        ...{ repositoryName: `algobrain-${name}`, imageTag: tag },
        imageManifest: JSON.stringify({
          ...{ schemaVersion: 2, config: { size: 1, digest: `sha256:${"2".repeat(64)}` } },
          ...{ mediaType: "application/vnd.docker.distribution.manifest.v2+json", layers: [] },
        }),
      }),
    );
}

async function definitionOf(arn: string) {
  const command = new DescribeTaskDefinitionCommand({ taskDefinition: arn });
  const { taskDefinition } = await new ECSClient(settings()).send(command);
  const { containerDefinitions = [], cpu, memory, networkMode, family } = taskDefinition ?? {};
  return { containerDefinitions, cpu, memory, networkMode, family };
}

describe.skipIf(moto === null)(`${NEEDS_MOTO} runbooks that deploy and scale`, () => {
  beforeAll(async () => {
    server = await startMoto(moto ?? "");
    await makeEstate(server.url, place);
    await pushImages(NEXT_TAG);
    // As many run as are wanted, once they were asked for.
    for (const name of ["api", "orchestrator"])
      await open().aws.updateService({ service: name, desired: place.services[name]!.desired });
    const signs = createAwsSigns(options());
    const at = new Date(systemClock.now().getTime() + 3_600_000);
    const beat = { service: "orchestrator", at, leader: "host/1", cycle: 7 };
    await signs.putHeartbeat(HEARTBEATS_TABLE, beat);
    ground = await openGround(
      makeRegistry(
        ...[buildAndPushImages, deployFrontend, deployServices, postDeployVerify],
        ...[restartService, rollbackDeployment, scaleService, showCapacity],
      ),
    );
    await ground.db.query(
      "INSERT INTO workers (id, kinds, last_heartbeat) VALUES ('general-worker-1', '{index}', now() + interval '1 hour')",
    );
  });
  afterAll(async () => {
    await ground?.drop();
    await server?.close();
  });

  test("X-20, X-21, X-23: a deployment registers a copy with another image, and asks for no number of tasks", async () => {
    const before = await definitionOf((await service("api")).taskDefinition);
    calls = [];
    const params = { env: "production", tag: NEXT_TAG, services: "orchestrator,api", watch: "1s" };
    const { run: ended } = await run("deploy-services", { ...params, migrate: false });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await service("api")).toMatchObject({ revision: 2, imageTag: NEXT_TAG, desired: 2 });
    const after = await definitionOf((await service("api")).taskDefinition);
    const image = before.containerDefinitions[0]?.image?.replace(FIRST_TAG, NEXT_TAG);
    const [container] = before.containerDefinitions;
    expect(after).toEqual({ ...before, containerDefinitions: [{ ...container, image }] });
    const updates = calls.filter(({ operation }) => operation === "UpdateService");
    expect(updates.map(({ target, keys }) => [target, keys])).toEqual([
      ["algobrain-prod/orchestrator", ["cluster", "service", "taskDefinition"]],
      ["algobrain-prod/api", ["cluster", "service", "taskDefinition"]],
    ]);
    const made = `algobrain-prod-${ended.id}-${NEXT_TAG.slice(0, 12)}`;
    expect((await open().aws.snapshots(10)).map(({ id }) => id)).toContain(made);
  });

  test("what was deployed works: services, one commit, heartbeat, workers, errors (HB-cli-14)", async () => {
    const params = { tag: NEXT_TAG, services: "orchestrator,api" };
    const { run: ended } = await run("post-deploy-verify", params);
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.output?.table?.rows.map(([what, is]) => [what, is])).toEqual(
      ["orchestrator", "api", "heartbeat", "workers", "errors"].map((what) => [what, "passed"]),
    );
  });

  test("X-20: an image that the registry has is found by its digest and never built again", async () => {
    const [tag, folder] = [NEXT_TAG, "/srv/checkout"];
    const git = (...words: string[]) => ["git", "-C", folder, ...words];
    const shell = expectedShell([
      { argv: git("rev-parse", "--verify", "HEAD"), stdout: tag },
      { argv: git("status", "--porcelain") },
    ]);
    const params = { tag, folder, services: "api,orchestrator" };
    const { run: ended } = await rehearse(ground, "build-and-push-images", {
      ...{ params, shell, other },
    });
    expect(ended).toMatchObject({ status: "succeeded", plan: { changes: [] } });
    expect(ended.outcome).toMatch(/^api sha256:[0-9a-f]{64}, orchestrator sha256:/);
  });

  test("X-22: the frontend of a real folder is in its bucket, the pages last", async () => {
    const folder = await mkdtemp(join(tmpdir(), "algobrain-frontend-"));
    await mkdir(join(folder, "assets"));
    for (const file of ["index.html", "assets/app-4f3c2a1b.js"])
      await writeFile(join(folder, file), file);
    calls = [];
    const shell = createShell({ redact: (text) => text });
    const { run: ended } = await rehearse(ground, "deploy-frontend", {
      ...{ params: { env: "production", folder }, shell, other },
    });
    await rm(folder, { recursive: true });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const put = calls.filter(({ operation }) => operation === "PutObject");
    expect(put.map(({ target }) => target)).toEqual([
      "algobrain-frontend-prod/assets/app-4f3c2a1b.js",
      "algobrain-frontend-prod/index.html",
    ]);
  });

  test("the revision before comes back, and undo goes on again", async () => {
    const rolled = await run("rollback-deployment", { service: "api" });
    expect(rolled.run).toMatchObject({ status: "succeeded", verified: true });
    expect(await service("api")).toMatchObject({ revision: 1, imageTag: FIRST_TAG });
    const back = await takeBack(ground, rolled.run, { other });
    expect(back.run.status).toBe("succeeded");
    expect(await service("api")).toMatchObject({ revision: 2, imageTag: NEXT_TAG });
  });

  test("HB-cli-22: 5 tasks for a while, and 11 or 1 never", async () => {
    const scaled = await run("scale-service", { service: "api", count: 5 });
    expect(scaled.run).toMatchObject({ status: "succeeded", verified: true });
    expect(await service("api")).toMatchObject({ desired: 5, running: 5 });
    expect(await listTemporaryChanges(ground.db)).toMatchObject([{ before: 2, after: 5 }]);
    for (const count of [11, 1]) {
      const { run: refused } = await run("scale-service", { service: "api", count });
      expect(refused.outcome).toContain(`found ${count}, expected 2 to 10`);
    }
    await takeBack(ground, scaled.run, { other });
    expect(await service("api")).toMatchObject({ desired: 2 });
    expect(await listTemporaryChanges(ground.db)).toEqual([]);
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
