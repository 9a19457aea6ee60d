/** Runbooks that look at, change and renew the tasks of services, against a made-up account and with the power they declare. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import restartService from "../../runbooks/restart-service.js";
import scaleService from "../../runbooks/scale-service.js";
import showCapacity from "../../runbooks/show-capacity.js";
import type { JsonObject } from "../../src/base/json.js";
import { listTemporaryChanges } from "../../src/store/temporary-changes.js";
import type { AwsWorld } from "../support/aws-world.js";
import { makeLivingAws } from "../support/living-aws.js";
import {
  crashEverywhere,
  openGround,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../support/runbook.js";
import { makeRegistry } from "../support/runbook-world.js";

let ground: RunbookGround;
let world: AwsWorld;
beforeAll(async () => {
  ground = await openGround(makeRegistry(restartService, scaleService, showCapacity));
});
afterAll(() => ground.drop());
beforeEach(async () => {
  await ground.db.query("DELETE FROM control.temporary_change");
  world = makeLivingAws();
});

const other = () => {
  const { aws } = world;
  return { openAws: async () => ({ aws, close: async () => {} }) };
};
const run = (name: string, params: JsonObject, more: { dryRun?: boolean } = {}) =>
  rehearse(ground, name, { params, ...more, other: other() });
const updates = () => world.calls.filter(({ operation }) => operation === "updateService");
const desiredOf = (name: string) => world.services.find(name).desired;

describe("show-capacity", () => {
  test("shows three numbers of each service, and where autoscaling is not what the policy says (HB-cli-21)", async () => {
    world.services.limits.set("workers", { min: 12, max: 60, suspended: true });
    world.services.limits.delete("api");
    const { run: ended, changed } = await run("show-capacity", {});
    const { text, table } = ended.output!;
    expect(table?.rows.map((row) => row.slice(0, 5))).toEqual([
      ["api", "2", "2", "0", "2–10"],
      ["orchestrator", "1", "1", "0", "1"],
      ["workers", "12", "12", "0", "12–120"],
      ["executor", "1", "1", "0", "1"],
    ]);
    expect(text).toContain("workers: the policy says 12–120, autoscaling 12–60");
    expect(text).toContain("workers: autoscaling is switched off");
    expect(text).toContain("api: nothing scales it (X-11)");
    expect(changed).toEqual([]);
  });

  test("names what a run set for a while, with its end and its owner", async () => {
    await run("scale-service", { service: "api", count: 5 });
    const { run: ended } = await run("show-capacity", { service: "api" });
    expect(ended.output?.text).toMatch(
      /^api: 5 desired, 5 running, 0 pending\ndesired_count of ecs service api is 5 until .*, by ann$/,
    );
  });
});

describe("scale-service", () => {
  test("sets the number within the bounds and notes it with its end; undo brings both back (HB-cli-22, X-59)", async () => {
    const scaled = await run("scale-service", { service: "api", count: 5, reason: "a launch" });
    expect(scaled.run).toMatchObject({ status: "succeeded", verified: true });
    expect(scaled.run.plan?.text).toContain("autoscaling goes on between 2 and 10 by api-scaling");
    expect(scaled.changed).toEqual(["control.temporary_change"]);
    expect(updates().map(({ keys }) => keys)).toEqual([["service", "desired"]]);
    const [noted] = await listTemporaryChanges(ground.db);
    expect(noted).toMatchObject({
      ...{ environment: "production", target: "ecs service api", attribute: "desired_count" },
      ...{ before: 2, after: 5, owner: "ann", reason: "a launch", runId: scaled.run.id },
    });
    expect(noted!.expiresAt.getTime() - noted!.madeAt.getTime()).toBe(2 * 3_600_000);
    await takeBack(ground, scaled.run, { other: other() });
    expect(desiredOf("api")).toBe(2);
    expect(await listTemporaryChanges(ground.db)).toEqual([]);
  });

  test.each([
    ["api", 11, "found 11, expected 2 to 10", "scaling.api.max 11"],
    ["api", 1, "found 1, expected 2 to 10", "scaling.api.min 1"],
    ["workers", 8, "found 8, expected 12 to 120", "/algobrain pause-queue KIND"],
    ["orchestrator", 2, "found 2, expected 1", "scaling.orchestrator.max 2"],
    ["web", 2, 'found "web", expected one of api', "of production"],
  ])(
    "refuses %s %i and says which ways there are (HB-cli-22, X-12)",
    async (service, count, found, way) => {
      const { run: ended, changed } = await run("scale-service", { service, count });
      expect(ended.status).toBe("failed");
      expect(ended.outcome).toContain(found);
      expect(ended.outcome).toContain(way);
      expect([updates(), changed]).toEqual([[], []]);
    },
  );

  test.each(["25h", "30s"])("takes no time of %s", async (forTime) => {
    const { run: ended } = await run("scale-service", { service: "api", count: 5, for: forTime });
    expect(ended.outcome).toContain(`found ${forTime}, expected between 1m and 24h`);
    expect(updates()).toEqual([]);
  });

  test("refuses what autoscaling would bring back at once", async () => {
    world.services.limits.set("workers", { min: 12, max: 20, suspended: false });
    const { run: ended } = await run("scale-service", { service: "workers", count: 30 });
    expect(ended.outcome).toContain("autoscaling holds workers between 12 and 20");
    expect(updates()).toEqual([]);
  });

  test("undo leaves what autoscaling has set since", async () => {
    const scaled = await run("scale-service", { service: "workers", count: 20 });
    await world.aws.updateService({ service: "workers", desired: 40 });
    const back = await takeBack(ground, scaled.run, { other: other() });
    expect(back.run.status).toBe("succeeded");
    expect(desiredOf("workers")).toBe(40);
  });

  test("a second one ends the first, and what was before both stays known", async () => {
    await run("scale-service", { service: "workers", count: 20 });
    await run("scale-service", { service: "workers", count: 30 });
    const noted = await listTemporaryChanges(ground.db);
    expect(noted).toMatchObject([{ before: 12, after: 30 }]);
  });

  test("the number that it has already is no change, and nothing is noted", async () => {
    const { run: ended, changed } = await run("scale-service", { service: "api", count: 2 });
    expect(ended).toMatchObject({ status: "succeeded", plan: { changes: [] } });
    expect([updates(), changed]).toEqual([[], []]);
  });

  test("wherever its executor dies, it is noted once and set once", async () => {
    const points = await crashEverywhere(ground, "scale-service", async () => {
      await ground.db.query("DELETE FROM control.temporary_change");
      world = makeLivingAws();
      const effects = async () =>
        (await listTemporaryChanges(ground.db)).length === 1 ? updates().length : 9;
      return { params: { service: "api", count: 5 }, other: other(), effects };
    });
    expect(new Set(points.map(({ ended }) => ended))).toEqual(new Set(["succeeded"]));
    expect(points.length).toBeGreaterThan(5);
  });
});

describe("restart-service", () => {
  const ERRORS =
    'fields @timestamp, @message | filter level = "error" or level = "fatal" | sort @timestamp desc';

  test("writes down what is there before it begins, then replaces the tasks and no more (X-69, X-21)", async () => {
    world.logRows.set(ERRORS, [{ "@timestamp": "12:00", "@message": "out of memory" }]);
    const { run: ended, changed } = await run("restart-service", { service: "api" });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.output?.text).toContain("api said: 12:00 out of memory");
    expect(ended.output?.text).toContain("api: 2 tasks, up for");
    const verbs = world.verbs();
    expect(verbs.indexOf("logQuery")).toBeLessThan(verbs.indexOf("updateService"));
    expect(updates().map(({ target, keys }) => [target, keys])).toEqual([
      ["api", ["service", "forceNew"]],
    ]);
    expect(changed).toEqual([]);
  });

  test("all of them one after the other, each at rest before the next begins (HB-cli-40)", async () => {
    const { run: ended } = await run("restart-service", { service: "all" });
    expect(ended.status).toBe("succeeded");
    expect(updates().map(({ target }) => target)).toEqual([
      "orchestrator",
      "workers",
      "api",
      "executor",
    ]);
  });

  test("one that does not come up stops the rest", async () => {
    world.services.fateOf("orchestrator").fails = true;
    const { run: ended } = await run("restart-service", { service: "all" });
    expect(ended).toMatchObject({ status: "failed" });
    expect(ended.outcome).toContain("orchestrator is failing: ECS gave the deployment up");
    expect(updates().map(({ target }) => target)).toEqual(["orchestrator"]);
  });

  test("wherever its executor dies, the tasks are replaced once", async () => {
    const points = await crashEverywhere(ground, "restart-service", async () => {
      world = makeLivingAws();
      const steps = ["restart workers"];
      const effects = async () => updates().length;
      return { params: { service: "workers" }, other: other(), effects, steps };
    });
    expect(points.map(({ ended }) => ended)).toEqual(Array(3).fill("succeeded"));
  });
});
