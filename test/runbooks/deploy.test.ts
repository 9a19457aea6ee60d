/** Runbooks that change what runs, against a made-up account, on a real database and with the power that they declare. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import buildAndPushImages from "../../runbooks/build-and-push-images.js";
import deployFrontend from "../../runbooks/deploy-frontend.js";
import deployServices from "../../runbooks/deploy-services.js";
import postDeployVerify from "../../runbooks/post-deploy-verify.js";
import rollbackDeployment from "../../runbooks/rollback-deployment.js";
import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import { sessionPolicy } from "../../src/runbook/power.js";
import { listPauses, pauseQueue } from "../../src/store/pauses.js";
import type { AwsWorld } from "../support/aws-world.js";
import { TAG_BEFORE } from "../support/aws-world-services.js";
import { makeLivingAws } from "../support/living-aws.js";
import {
  crashEverywhere,
  expectedShell,
  openGround,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../support/runbook.js";
import { makeRegistry } from "../support/runbook-world.js";

const TAG = "b".repeat(40);
const SERVICES = ["orchestrator", "workers", "api", "executor"];
const COUNT_ERRORS = 'filter level = "error" or level = "fatal" | stats count(*) as errors';

let ground: RunbookGround;
let world: AwsWorld;
beforeAll(async () => {
  ground = await openGround(
    makeRegistry(buildAndPushImages, deployFrontend, deployServices, rollbackDeployment),
  );
  await ground.db.query(
    "INSERT INTO workers (id, kinds, last_heartbeat) VALUES ('general-worker-1', '{index}', now() + interval '1 hour')",
  );
});
afterAll(() => ground.drop());
beforeEach(async () => {
  await ground.db.query("DELETE FROM control.queue_pause");
  world = makeWorld();
});

function makeWorld(): AwsWorld {
  const made = makeLivingAws();
  for (const name of SERVICES)
    for (const tag of [TAG_BEFORE, TAG])
      made.images.set(`algobrain-${name}:${tag}`, `sha256:${name}-${tag.slice(0, 4)}`);
  return made;
}

const other = () => {
  const { aws } = world;
  return { openAws: async () => ({ aws, close: async () => {} }) };
};
const run = (name: string, params: JsonObject, more: { dryRun?: boolean } = {}) =>
  rehearse(ground, name, { params, ...more, other: other() });

const DEPLOY = { env: "production", tag: TAG, watch: "1s" };
const tagOf = (name: string) =>
  world.services.revisionOf(world.services.find(name).taskDefinition).imageTag;
const updates = () => world.calls.filter(({ operation }) => operation === "updateService");
const WRITES = ["updateService", "registerRevision", "runTask", "createSnapshot"];
const writes = () => world.verbs().filter((verb) => WRITES.includes(verb));

describe("deploy-services", () => {
  test("brings one commit onto the services in their order, and the number of tasks is not touched (X-21)", async () => {
    const { run: ended, changed } = await run("deploy-services", DEPLOY);
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.outcome).toContain(`orchestrator, workers, api, executor run ${TAG}`);
    expect(updates().map(({ target }) => target)).toEqual(SERVICES);
    expect(updates().flatMap(({ keys }) => keys)).not.toContain("desired");
    expect(world.services.commands).toEqual([["db", "migrate"]]);
    const [migration] = await world.aws.revisions("algobrain-migrate", 1);
    expect(migration).toMatchObject({ revision: 2, imageTag: TAG });
    expect(world.snapshots.map(({ id }) => id)).toEqual([
      `algobrain-prod-${ended.id}-${TAG.slice(0, 12)}`,
    ]);
    expect(await listPauses(ground.db)).toEqual([]);
    expect(changed).toEqual([]);
  });

  test("a dry run names every change and makes none", async () => {
    const { run: planned } = await run("deploy-services", DEPLOY, { dryRun: true });
    expect(planned.output?.text).toContain(`api: revision 1 (${TAG_BEFORE}) → a new one`);
    expect(planned.output?.text).toContain("sha256:workers-bbbb");
    expect(writes()).toEqual([]);
  });

  test.each([
    ["for another environment", { env: "staging" }, "this is production"],
    ["of an image that is not there", { tag: "c".repeat(40) }, "algobrain-executor have no image"],
    ["of a service that is not there", { services: "web" }, 'found "web"'],
  ])("refuses one %s, before anything is changed", async (_what, params, outcome) => {
    const { run: ended } = await run("deploy-services", { ...DEPLOY, ...params });
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(outcome) });
    expect(writes()).toEqual([]);
  });

  test.each(["latest", TAG.slice(0, 12), `${TAG}0`, TAG.toUpperCase()])(
    "takes no tag %s (X-20)",
    async (tag) => {
      await expect(run("deploy-services", { ...DEPLOY, tag })).rejects.toThrow("not queued");
    },
  );

  test("refuses while a deployment is under way", async () => {
    world.services.fateOf("workers").looks = 50;
    await world.aws.updateService({ service: "workers", forceNew: true });
    const { run: ended } = await run("deploy-services", DEPLOY);
    expect(ended.outcome).toContain("workers is being deployed already");
    expect(writes()).toEqual(["updateService"]);
  });

  test("what ECS rolls back is a failure: the others go back too, and the queues go on (BQ-op-25, LB-aws-03)", async () => {
    world.services.fateOf("api").fails = true;
    const { run: ended } = await run("deploy-services", DEPLOY);
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(ended.outcome).toContain('step "wait for api" failed');
    expect(SERVICES.map(tagOf)).toEqual(Array(4).fill(TAG_BEFORE));
    expect(await listPauses(ground.db)).toEqual([]);
  });

  test("a migration that fails touches no service, and the queues go on", async () => {
    world.services.fateOf("workers").exitCode = 1;
    const { run: ended } = await run("deploy-services", DEPLOY);
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(ended.outcome).toMatch(/task task-1 ended with 1: .*\/ecs\/algobrain-migrate/);
    expect(updates()).toEqual([]);
    expect(await listPauses(ground.db)).toEqual([]);
  });

  test("too many errors after it, and it goes back by itself", async () => {
    world.logRows.set(COUNT_ERRORS, [{ errors: "21" }]);
    const { run: ended } = await run("deploy-services", { ...DEPLOY, services: "api" });
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(ended.outcome).toContain("21 lines of errors");
    expect(tagOf("api")).toBe(TAG_BEFORE);
  });

  test("an answer from before the update is not taken for a roll-back", async () => {
    const { aws } = world;
    let stale: Awaited<ReturnType<typeof aws.service>> | null = null;
    let looks = 0;
    const service: typeof aws.service = async (name) => {
      const now = await aws.service(name);
      stale ??= now;
      if (now.taskDefinition === stale.taskDefinition) return now;
      looks += 1;
      return looks <= 2 ? stale : now;
    };
    Object.assign(world, { aws: { ...aws, service } });
    const { run: ended } = await run("deploy-services", { ...DEPLOY, services: "api" });
    expect(ended).toMatchObject({ status: "succeeded" });
    expect(looks).toBeGreaterThan(2);
  });

  test("answers that were lost are asked for again, and nothing is done twice", async () => {
    for (const verb of ["createSnapshot", "registerRevision", "updateService", "runTask"] as const)
      world.fail(verb, fault.transient("AWS_UNREACHABLE", "the connection was reset"), "lost");
    const { run: ended } = await run("deploy-services", { ...DEPLOY, services: "workers" });
    expect(ended.status).toBe("succeeded");
    expect([world.snapshots.length, world.services.commands.length]).toEqual([1, 1]);
    expect(await world.aws.revisions("algobrain-workers", 9)).toHaveLength(2);
  });

  test("an update of which nobody knows that it took effect is taken back all the same", async () => {
    const params = { ...DEPLOY, services: "workers" };
    const refused = fault.data("AWS_REFUSED", "it said no, after it had done it");
    world.fail("updateService", refused, "lost");
    const { run: ended } = await run("deploy-services", params);
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(tagOf("workers")).toBe(TAG_BEFORE);
  });

  test("where going back fails, people are told to look, and the queues go on all the same", async () => {
    world.logRows.set(COUNT_ERRORS, [{ errors: "21" }]);
    const { aws } = world;
    const updateService: typeof aws.updateService = async (request) => {
      if (tagOf(request.service) === TAG) throw fault.data("AWS_REFUSED", "the revision is gone");
      return aws.updateService(request);
    };
    Object.assign(world, { aws: { ...aws, updateService } });
    const { run: ended } = await run("deploy-services", { ...DEPLOY, services: "workers" });
    expect(ended).toMatchObject({ status: "failed", undone: "failed" });
    expect(ended.outcome).toContain("TAKING IT BACK FAILED, look now: the revision is gone");
    expect(await listPauses(ground.db)).toEqual([]);
  });

  test("queues that were paused before stay paused, and a person's undo brings the services back", async () => {
    await pauseQueue(ground.db, {
      ...{ kind: "*", reason: "an audit", by: "ann", expiresAt: null },
    });
    const deployed = await run("deploy-services", { ...DEPLOY, services: "api,workers" });
    expect(deployed.run.status).toBe("succeeded");
    expect(await listPauses(ground.db)).toMatchObject([{ kind: "*", reason: "an audit" }]);
    expect(tagOf("orchestrator")).toBe(TAG_BEFORE);
    const back = await takeBack(ground, deployed.run, { other: other() });
    expect(back.run.status).toBe("succeeded");
    expect(SERVICES.map(tagOf)).toEqual(Array(4).fill(TAG_BEFORE));
  });

  test("wherever its executor dies, there is one new revision, one migration and one deployment", async () => {
    const points = await crashEverywhere(ground, "deploy-services", async () => {
      world = makeWorld();
      const effects = async () => {
        const made = world.verbs().filter((verb) => verb === "registerRevision").length;
        // That of the service, and that of the task that migrates.
        return made === 2 && world.services.commands.length === 1 ? updates().length : 9;
      };
      const steps = ["migrate the database", "update workers"];
      return { params: { ...DEPLOY, services: "workers" }, other: other(), effects, steps };
    });
    expect(points.map(({ ended }) => ended)).toEqual(Array(6).fill("succeeded"));
  });
});

describe("the session of each", () => {
  const PLACES = { account: "123456789012", region: "us-east-1", cluster: "algobrain-production" };
  const fill = (text: string) =>
    Object.entries({ ...PLACES, system: "algobrain", environment: "production" }).reduce(
      (filled, [name, value]) => filled.replaceAll(`{${name}}`, value),
      text,
    );

  test.each([
    buildAndPushImages,
    deployFrontend,
    deployServices,
    postDeployVerify,
    rollbackDeployment,
  ])(
    "$name fits into a session policy, and reads without a right to write",
    ({ touches, danger }) => {
      const aws = touches.aws!.map((one) => ({ ...one, resources: one.resources.map(fill) }));
      const actions = sessionPolicy({ ...touches, aws })!.Statement.flatMap(({ Action }) => Action);
      const writing = actions.filter((it) => /:(Update|Register|Run|Create|Put)/.test(it));
      expect(danger === "R" ? writing : []).toEqual([]);
    },
  );
});

describe("rollback-deployment", () => {
  const deploy = async (name: string, tag: string) => {
    const { arn } = world.services.addRevision(
      `algobrain-${name}`,
      world.services.imageOf(name, tag),
    );
    world.services.fateOf(name).looks = 0;
    await world.aws.updateService({ service: name, taskDefinition: arn });
  };

  test("goes back to the image before, past revisions with other numbers only, and undo goes on again", async () => {
    await deploy("api", TAG);
    await deploy("api", TAG);
    const rolled = await run("rollback-deployment", { service: "api" });
    expect(rolled.run).toMatchObject({ status: "succeeded", verified: true });
    expect(rolled.run.plan?.changes).toEqual(["api: revision 3 → 1"]);
    expect(tagOf("api")).toBe(TAG_BEFORE);
    expect(updates().at(-1)?.keys).toEqual(["service", "taskDefinition"]);
    await takeBack(ground, rolled.run, { other: other() });
    expect(world.services.find("api").taskDefinition).toMatch(/:3$/);
  });

  test.each([
    ["to what runs", { revision: 2 }, "runs revision 2 already"],
    ["to what never was", { revision: 7 }, "has no revision 7 (there are 2, 1)"],
    ["of nothing we have", { service: "web" }, 'found "web", expected one of api'],
  ])("refuses to go %s", async (_what, params, outcome) => {
    await deploy("api", TAG);
    const { run: ended } = await run("rollback-deployment", { service: "api", ...params });
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(outcome) });
    expect(updates()).toHaveLength(1);
  });

  test("refuses a revision whose image the registry has no more", async () => {
    await deploy("api", TAG);
    world.images.delete(`algobrain-api:${TAG_BEFORE}`);
    const { run: ended } = await run("rollback-deployment", { service: "api" });
    expect(ended.outcome).toContain(`no image ${TAG_BEFORE} any more`);
  });

  test("works while a deployment is under way, and says why tasks of the old one stopped", async () => {
    await deploy("api", TAG);
    world.services.fateOf("api").looks = 1;
    await world.aws.updateService({ service: "api", forceNew: true });
    const { run: ended } = await run("rollback-deployment", { service: "api", revision: 1 });
    expect(ended.status).toBe("succeeded");
  });
});

describe("deploy-frontend", () => {
  const FOLDER = "/srv/frontend";
  const FILES = ["index.html", "assets/app-4f3c2a1b.js", "assets/app-overview.js", "robots.txt"];
  const BUCKET = "algobrain-frontend-prod";
  const deploy = (files: readonly string[], params: JsonObject = {}) => {
    const argv = ["find", FOLDER, "-type", "f", "-printf", "%P\\n"];
    const shell = expectedShell([{ argv, stdout: files.map((file) => `${file}\n`).join("") }]);
    const asked = { env: "production", folder: FOLDER, ...params };
    return rehearse(ground, "deploy-frontend", { params: asked, shell, other: other() });
  };
  const put = (key: string, daysAgo: number) => {
    const at = new Date(systemClock.now().getTime() - daysAgo * 24 * 3_600_000);
    world.objects.set(`${BUCKET}/${key}`, { bytes: 1, at, cache: "" });
  };
  const cacheOf = (key: string) => world.objects.get(`${BUCKET}/${key}`)?.cache;

  test("puts files first, then pages, then invalidates, and then alone deletes (X-22)", async () => {
    put("assets/app-00000000.js", 40);
    put("assets/app-11111111.js", 20);
    put("assets/app-22222222.js", 3);
    const { run: ended } = await deploy(FILES);
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const done = world.verbs().filter((verb) => /^(put|delete|invalidate)/.test(verb));
    expect(done).toEqual(["putObjects", "putObjects", "invalidate", "deleteObjects"]);
    expect([...world.objects.keys()].slice(-1)).toEqual([`${BUCKET}/index.html`]);
    expect(FILES.map(cacheOf)).toEqual([
      "no-cache",
      "public, max-age=31536000, immutable",
      "no-cache",
      "no-cache",
    ]);
  });

  test("deletes what was replaced longer ago than it is kept, however old it is itself", async () => {
    put("assets/app-00000000.js", 40);
    put("assets/app-11111111.js", 20);
    put("assets/app-22222222.js", 3);
    await deploy(FILES, { keepDays: 7 });
    // The second was in use until three days ago, and browsers may still have the page that names it.
    const left = [...world.objects.keys()].filter((key) => /(0{8}|1{8}|2{8})/.test(key));
    expect(left).toEqual([`${BUCKET}/assets/app-11111111.js`, `${BUCKET}/assets/app-22222222.js`]);
  });

  test.each([
    ["a folder that was not built", ["robots.txt"], {}, "has no index.html"],
    ["a name that makes no address", ["index.html", "a b.js"], {}, 'found "a b.js"'],
    ["another environment", FILES, { env: "staging" }, "this is production"],
  ])("refuses %s, and puts nothing", async (_what, files, params, outcome) => {
    const { run: ended } = await deploy(files, params);
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(outcome) });
    expect(world.verbs()).not.toContain("putObjects");
  });
});

describe("build-and-push-images", () => {
  const FOLDER = "/srv/checkout";
  const git = (...words: string[]) => ["git", "-C", FOLDER, ...words];
  const IMAGE = `123456789012.dkr.ecr.us-east-1.amazonaws.com/algobrain-api:${TAG}`;
  const build = [
    ...["docker", "build", "--file", `${FOLDER}/infra/docker/Dockerfile`, "--target", "api"],
    ...["--build-arg", `COMMIT=${TAG}`, "--tag", IMAGE, FOLDER],
  ];
  const clean = [
    { argv: git("rev-parse", "--verify", "HEAD"), stdout: `${TAG}\n` },
    { argv: git("status", "--porcelain"), stdout: "" },
  ];
  const buildOf = (services: string, commands: Parameters<typeof expectedShell>[0]) => {
    const shell = expectedShell(commands);
    const params = { tag: TAG, folder: FOLDER, services };
    return rehearse(ground, "build-and-push-images", { params, shell, other: other() });
  };

  test("builds what the registry has not, under the commit and no other name, and never again", async () => {
    world.images.delete(`algobrain-api:${TAG}`);
    const { aws } = world;
    // The engine pushes: what is asked of the registry after that finds it.
    const image: typeof aws.image = async (repository, tag) => {
      const asked = world.verbs().filter((verb) => verb === "image").length;
      if (asked > 2) world.images.set(`algobrain-api:${TAG}`, "sha256:pushed");
      return aws.image(repository, tag);
    };
    Object.assign(world, { aws: { ...aws, image } });
    const commands = [...clean, { argv: build }, { argv: ["docker", "push", IMAGE] }];
    const { run: ended } = await buildOf("api,workers", commands);
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.plan?.changes).toEqual([`build and push api as ${TAG}`]);
  });

  test.each([
    ["at another commit", { ...clean[0]!, stdout: TAG_BEFORE }, [], "is at aaaa"],
    [
      "with changed files",
      clean[0]!,
      [{ ...clean[1]!, stdout: " M a.ts" }],
      "differ from the commit",
    ],
  ])("refuses a checkout %s, before anything is built", async (_what, first, more, outcome) => {
    const { run: ended } = await buildOf("api", [first, ...more]);
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(outcome) });
  });
});
