/** The adapter's promises, kept against an emulator with real requests and real state (not against Amazon's). */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAws, createAwsSigns } from "../../../src/adapter/aws.js";
import { systemClock } from "../../../src/base/clock.js";
import { SecretText } from "../../../src/base/secret-text.js";
import type { AwsCallRecord } from "../../../src/runbook/aws-port.js";
import { faultOf } from "../../contract/delivery.js";
import { makeAwsPlace } from "../../support/aws-world-place.js";
import {
  findMoto,
  MOTO_ACCOUNT,
  MOTO_CREDENTIALS,
  MOTO_REGION,
  type Moto,
  NEEDS_MOTO,
  startMoto,
} from "../../support/moto.js";
import { until } from "../../support/until.js";
import { FIRST_TAG, HEARTBEATS_TABLE, makeEstate } from "./moto-estate.js";

const moto = findMoto();
const place = makeAwsPlace();
const NEXT_TAG = "b".repeat(40);
const calls: AwsCallRecord[] = [];
let server: Moto;
const openWith = (url: string) => ({
  access: { region: MOTO_REGION, endpointUrl: url, credentials: MOTO_CREDENTIALS },
  place: () => place,
  signal: new AbortController().signal,
  clock: systemClock,
  onCall: (record: AwsCallRecord) => void calls.push(record),
  timeoutMs: 60_000,
});
const open = () =>
  createAws({
    ...openWith(server.url),
    ...{ namespace: () => "AlgoBrain", heartbeatsTable: () => HEARTBEATS_TABLE },
  }).aws;

describe.skipIf(moto === null)(`${NEEDS_MOTO} the adapter of AWS`, () => {
  beforeAll(async () => {
    server = await startMoto(moto ?? "");
    await makeEstate(server.url, place);
  });
  afterAll(() => server?.close());

  test("knows as whom it asks", async () => {
    expect(await open().identity()).toMatchObject({ account: MOTO_ACCOUNT });
  });

  test("a service: its numbers, its image, its tasks; one that is none is refused with the names there are", async () => {
    const aws = open();
    expect(await aws.service("api")).toMatchObject({
      ...{ name: "api", status: "ACTIVE", desired: 2, revision: 1, imageTag: FIRST_TAG },
    });
    expect((await aws.services()).map(({ name }) => name).sort()).toEqual(
      Object.keys(place.services).sort(),
    );
    expect(await faultOf(aws.service("web"))).toMatchObject({
      ...{ kind: "refused", code: "AWS_NOT_FOUND" },
      hint: expect.stringContaining("orchestrator"),
    });
  });

  test("X-23: a new revision is the whole of the old one with another image, and nothing else changes", async () => {
    const aws = open();
    const { taskDefinition: from, image } = await aws.service("workers");
    const next = image.replace(FIRST_TAG, NEXT_TAG);
    const { arn, revision } = await aws.registerRevision({ from, image: next });
    expect(revision).toBe(2);
    expect(
      (await aws.revisions("algobrain-workers", 10)).map((one) => [one.revision, one.imageTag]),
    ).toEqual([
      [2, NEXT_TAG],
      [1, FIRST_TAG],
    ]);
    await aws.updateService({ service: "workers", taskDefinition: arn });
    expect(await aws.service("workers")).toMatchObject({ imageTag: NEXT_TAG, desired: 12 });
    expect(calls.findLast(({ operation }) => operation === "UpdateService")?.keys).toEqual([
      ...["cluster", "service", "taskDefinition"],
    ]);
  });

  test("scales: the number of tasks, and the limits between which it is scaled (X-11)", async () => {
    const aws = open();
    await aws.updateService({ service: "api", desired: 4 });
    expect(await aws.service("api")).toMatchObject({ desired: 4, running: 4 });
    expect(await aws.limits("api")).toEqual({
      min: 2,
      max: 10,
      policies: ["api-scaling"],
      suspended: false,
    });
    await aws.setLimits({ service: "api", min: 3, max: 9 });
    expect(await aws.limits("api")).toMatchObject({ min: 3, max: 9 });
    expect(await aws.limits("orchestrator")).toBeNull();
  });

  test("a task beside a service runs in its network, and is found again until it is forgotten", async () => {
    const aws = open();
    const { taskDefinition } = await aws.service("workers");
    const { task } = await aws.runTask({
      ...{ taskDefinition, command: ["db", "migrate"], service: "workers", key: "run-1/migrate" },
    });
    expect(await aws.task(task)).toMatchObject({ id: task, group: "family:algobrain-workers" });
    await aws.stopTask({ task, reason: "the test is over" });
    expect(await aws.task(task)).toMatchObject({ stoppedReason: "the test is over" });
    expect(await aws.task("f".repeat(32))).toBeNull();
  });

  test("images are told apart by their tag", async () => {
    const aws = open();
    expect(await aws.image("algobrain-api", FIRST_TAG)).toMatchObject({
      digest: expect.stringMatching(/^sha256:/),
    });
    expect(await aws.image("algobrain-api", NEXT_TAG)).toBeNull();
    expect(await faultOf(aws.image("algobrain-web", NEXT_TAG))).toMatchObject({
      code: "AWS_NOT_FOUND",
    });
  });

  test("a secret goes from pending to current, and the one before stays to go back to", async () => {
    const aws = open();
    const value = (text: string) => new SecretText(`${text}-of-a-rotation`);
    expect(await aws.createSecret({ name: "jwt-secret", value: value("first") })).toBe("created");
    expect(await aws.createSecret({ name: "jwt-secret", value: value("again") })).toBe("exists");
    const put = { name: "jwt-secret", value: value("second"), stage: "AWSPENDING" } as const;
    const { version } = await aws.putSecret(put);
    // An answer that was lost: asked again, it is the same version.
    expect(await aws.putSecret(put)).toEqual({ version });
    expect((await aws.readSecret({ name: "jwt-secret" })).reveal()).toBe("first-of-a-rotation");
    const { previous } = await aws.promoteSecret({ name: "jwt-secret", version });
    expect(previous).not.toBeNull();
    expect((await aws.readSecret({ name: "jwt-secret" })).reveal()).toBe("second-of-a-rotation");
    expect(await stagesOf("jwt-secret")).toEqual({
      [version]: ["AWSCURRENT"],
      [previous ?? ""]: ["AWSPREVIOUS"],
    });
    expect(await aws.promoteSecret({ name: "jwt-secret", version })).toEqual({ previous: null });
    const said = JSON.stringify(calls);
    for (const text of ["first", "again", "second"]) expect(said).not.toContain(`${text}-of`);
  });

  const stagesOf = async (name: string) =>
    Object.fromEntries(
      ((await open().secret(name))?.versions ?? []).map(({ id, stages }) => [id, stages]),
    );

  test("the database: its state, its endpoint, its snapshots; a repeated snapshot is the same one", async () => {
    const aws = open();
    expect(await aws.databaseCluster()).toMatchObject({
      status: "available",
      masterUser: "migrator",
      readerEndpoint: null,
    });
    await aws.createSnapshot({ id: "before-run-1" });
    await aws.createSnapshot({ id: "before-run-1" });
    expect((await aws.snapshots(10)).filter(({ id }) => id === "before-run-1")).toHaveLength(1);
  });

  test("the cache: its nodes, and a token that is taken", async () => {
    const aws = open();
    expect(await aws.cacheGroup()).toMatchObject({
      status: "available",
      nodeType: "cache.t4g.small",
    });
    await aws.setCacheToken({
      value: new SecretText("a-second-token-of-the-cache"),
      strategy: "ROTATE",
    });
    expect(JSON.stringify(calls)).not.toContain("a-second-token");
  });

  test("X-27: log groups with their days; the one that keeps its lines for ever is seen", async () => {
    const groups = await open().logGroups("/ecs/algobrain-");
    expect(Object.fromEntries(groups.map(({ name, days }) => [name, days]))).toEqual({
      "/ecs/algobrain-api": null,
      "/ecs/algobrain-executor": 30,
      "/ecs/algobrain-orchestrator": 30,
      "/ecs/algobrain-workers": 30,
    });
  });

  test("a query of logs is asked for and waited for", async () => {
    const query = {
      groups: ["/ecs/algobrain-api"],
      query: "fields @timestamp, @message | limit 5",
      limit: 5,
    };
    const window = { from: new Date("2026-11-22T00:00:00Z"), to: new Date("2026-11-22T01:00:00Z") };
    expect(await open().logQuery({ ...query, ...window })).toMatchObject({ truncated: false });
    const missing = { ...query, ...window, groups: ["/ecs/none"] };
    expect(await faultOf(open().logQuery(missing))).toMatchObject({ code: "AWS_NOT_FOUND" });
  });

  test("objects are put in order with their headers, listed, and deleted", async () => {
    const folder = await mkdtemp(join(tmpdir(), "algobrain-objects-"));
    await writeFile(join(folder, "a.js"), "1");
    const aws = open();
    const bucket = place.bucketOf("frontend") ?? "";
    const file = (key: string) => ({
      key,
      path: join(folder, "a.js"),
      cache: "no-cache",
      type: "text/html",
    });
    expect(await aws.putObjects({ bucket, files: [file("assets/a.js"), file("index.html")] })).toBe(
      2,
    );
    expect(await aws.objects(bucket, "", 10)).toMatchObject([
      { key: "assets/a.js", bytes: 1 },
      { key: "index.html" },
    ]);
    expect(await aws.deleteObjects({ bucket, keys: ["assets/a.js"] })).toBe(1);
    expect(await aws.objects(bucket, "assets/", 10)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test("HB-aws-21: who may reach what is read from what is attached", async () => {
    const { task, database } = await open().securityGroups();
    expect(task).toHaveLength(1);
    expect(database).toEqual(task);
  });

  test("HB-cli-14, X-61: the heartbeat that the runtime writes is the one that is read", async () => {
    const signs = createAwsSigns(openWith(server.url));
    expect(await open().heartbeat("orchestrator")).toBeNull();
    const at = new Date("2026-11-22T12:00:00Z");
    await signs.putHeartbeat(HEARTBEATS_TABLE, {
      service: "orchestrator",
      at,
      leader: "host/1",
      cycle: 7,
    });
    expect(await open().heartbeat("orchestrator")).toEqual({ at, leader: "host/1" });
    expect(calls.findLast(({ operation }) => operation === "GetItem")?.keys).toContain(
      "ConsistentRead",
    );
    await signs.close();
  });

  test("HB-aws-09: JobQueueDepth that was published is what the scaling policy will read", async () => {
    const signs = createAwsSigns(openWith(server.url));
    const at = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 120_000);
    await signs.putMetrics("AlgoBrain", at, [{ name: "JobQueueDepth", value: 740, unit: "Count" }]);
    const points = await until(async () => {
      const window = [new Date(at.getTime() - 60_000), new Date(at.getTime() + 120_000)] as const;
      const found = await open().metric("JobQueueDepth", ...window);
      return found.length > 0 && found;
    }, "the point is there");
    expect(points).toEqual([{ at, value: 740 }]);
    expect(await open().alarms(["none-of-this-name"])).toEqual([]);
    await signs.close();
  });

  test("an answer that does not come is a transient fault with the name of what was asked", async () => {
    const gone = createAws({
      ...{ ...openWith("http://127.0.0.1:9"), timeoutMs: 5_000 },
      ...{ namespace: () => "AlgoBrain", heartbeatsTable: () => HEARTBEATS_TABLE },
    }).aws;
    expect(await faultOf(gone.service("api"))).toMatchObject({
      kind: "transient",
      code: "AWS_UNREACHABLE",
    });
  });
});
