/** What is looked at after a deployment, against a made-up account and an API that answers as each test says. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import postDeployVerify from "../../runbooks/post-deploy-verify.js";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { AWS_WRITES } from "../../src/runbook/aws-verbs.js";
import type { PathLook } from "../../src/runbook/port.js";
import type { AwsWorld } from "../support/aws-world.js";
import { TAG_BEFORE } from "../support/aws-world-services.js";
import { makeLivingAws } from "../support/living-aws.js";
import { careWithPaths } from "../support/paths-care.js";
import { openGround, type RunbookGround, rehearse } from "../support/runbook.js";
import { makeRegistry } from "../support/runbook-world.js";

const TAG = "b".repeat(40);
const SERVICES = ["orchestrator", "workers", "api", "executor"];
const COUNT_ERRORS = 'filter level = "error" or level = "fatal" | stats count(*) as errors';

let ground: RunbookGround;
let world: AwsWorld;
/** What the API answers. */
let paths: readonly PathLook[];
beforeAll(async () => {
  ground = await openGround(makeRegistry(postDeployVerify));
  await ground.db.query(
    "INSERT INTO workers (id, kinds, last_heartbeat) VALUES ('general-worker-1', '{index}', now() + interval '1 hour')",
  );
});
afterAll(() => ground.drop());
beforeEach(() => {
  world = makeLivingAws();
  world.alarms.set("algobrain-prod-dead-man", { state: "OK", since: null });
  paths = [{ path: "/health", state: "passed", found: "it answered 200" }];
});

function verifyIt(params: JsonObject) {
  const { aws } = world;
  const care = careWithPaths(ground, async () => paths);
  const openAws = async () => ({ aws, close: async () => {} });
  return rehearse(ground, "post-deploy-verify", { params, other: { care, openAws } });
}

test("finds nothing wrong, tells what it looked at, and asks for nothing that writes", async () => {
  const { run: ended, changed } = await verifyIt({ tag: TAG_BEFORE });
  expect(ended).toMatchObject({ status: "succeeded", verified: true });
  expect(ended.output?.table?.rows.map(([what]) => what)).toEqual([
    ...SERVICES,
    ...["heartbeat", "workers", "errors", "GET /health", "alarms"],
  ]);
  expect(world.verbs().filter((verb) => (AWS_WRITES as readonly string[]).includes(verb))).toEqual(
    [],
  );
  expect(changed).toEqual([]);
});

test.each([
  ["another commit than was meant", { tag: TAG }, "orchestrator: it runs a"],
  ["too many errors", { errors: 2 }, "errors: 3 lines of errors, at most 2"],
  ["a window of no time", { window: "1s" }, "found 1s, expected between 1m and 24h"],
])("fails for %s", async (_what, params, outcome) => {
  world.logRows.set(COUNT_ERRORS, [{ errors: "3" }]);
  const { run: ended } = await verifyIt(params);
  expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(outcome) });
});

test.each<[string, PathLook["state"], string]>([
  ["a path that is not there", "failed", "it answered 404, expected 200"],
  ["an API that stays unhealthy", "waiting", "it answered 503, expected 200"],
])("fails for %s", async (_what, state, found) => {
  paths = [...paths, { path: "/version", state, found }];
  const { run: ended } = await verifyIt({});
  expect(ended).toMatchObject({
    ...{ status: "failed", outcome: expect.stringContaining(`GET /version: ${found}`) },
  });
});

test.each<[string, string | null, string]>([
  ["an alarm that rings", "ALARM", "1 of 1 ring: algobrain-prod-dead-man since"],
  ["an alarm that was never made", null, "1 of 1 are not there, such as algobrain-prod-dead-man"],
])("fails for %s", async (_what, state, words) => {
  world.alarms.clear();
  const since = systemClock.now();
  if (state !== null) world.alarms.set("algobrain-prod-dead-man", { state, since });
  const { run: ended } = await verifyIt({});
  expect(ended).toMatchObject({
    ...{ status: "failed", outcome: expect.stringContaining(`alarms: ${words}`) },
  });
});

test("an alarm with too few points is told, and none that rings is waited for", async () => {
  world.alarms.set("algobrain-prod-dead-man", { state: "INSUFFICIENT_DATA", since: null });
  const { run: ended } = await verifyIt({});
  expect(ended.status).toBe("succeeded");
  const [, , found] = ended.output?.table?.rows.find(([what]) => what === "alarms") ?? [];
  expect(found).toBe("none of 1 rings, 1 have too few points to say");
});

test("fails when the services run different commits", async () => {
  const { arn } = world.services.addRevision("algobrain-api", world.services.imageOf("api", TAG));
  world.services.fateOf("api").looks = 0;
  await world.aws.updateService({ service: "api", taskDefinition: arn });
  const { run: ended } = await verifyIt({});
  expect(ended.outcome).toContain("the services run different commits");
});
