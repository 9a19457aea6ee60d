/** Keys that are lists: a new one beside the old, and no token and no delivery refused meanwhile. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import rotateJwtSecret from "../../runbooks/rotate-jwt-secret.js";
import rotateWebhookSecret from "../../runbooks/rotate-webhook-secret.js";
import { systemClock } from "../../src/base/clock.js";
import { DAY_MS, parseDuration } from "../../src/base/duration.js";
import { fault } from "../../src/base/fault.js";
import { issueToken, TOKEN_TTL_MAX_MS, verifyToken } from "../../src/web/token.js";
import { type AwsWorld, makeAwsWorld } from "../support/aws-world.js";
import { makeRotationWorld, pathOf, RotationScene } from "../support/rotation.js";
import { crashEverywhere, openGround, type RunbookGround } from "../support/runbook.js";
import { makeRegistry } from "../support/runbook-world.js";

const OLD = "old-marker-of-the-key-that-was-there-0123456789";

let ground: RunbookGround;
let scene: RotationScene;
beforeAll(async () => {
  ground = await openGround(makeRegistry(rotateJwtSecret, rotateWebhookSecret));
});
afterAll(() => ground.drop());
beforeEach(() => {
  scene = new RotationScene(ground);
  laid(scene.world);
});

function laid(made: AwsWorld): AwsWorld {
  for (const secret of ["jwt-secret", "webhook-secret"]) made.secrets.place(pathOf(secret), OLD);
  return made;
}

const valuesOf = (secret: string) => scene.valueOf(secret).split(",").filter(Boolean);

describe("rotate-jwt-secret", () => {
  test("adds a key that signs, and tokens of the old one are accepted: nobody is logged out (X-34, HB-sec-07)", async () => {
    const now = systemClock.now();
    const asked = { subject: "ann", role: "operator", ttlMs: DAY_MS, now } as const;
    const before = await issueToken(asked, [OLD]);
    const { run: ended, changed } = await scene.run("rotate-jwt-secret");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const [fresh, ...others] = valuesOf("jwt-secret");
    expect(others).toEqual([OLD]);
    expect(Buffer.from(fresh!, "base64")).toHaveLength(64);
    expect(await verifyToken(before.token, valuesOf("jwt-secret"), now)).toMatchObject({
      ok: true,
    });
    const after = await issueToken(asked, valuesOf("jwt-secret"));
    expect(await verifyToken(after.token, [fresh!], now)).toMatchObject({ ok: true });
    expect(scene.restarted()).toEqual(["orchestrator", "workers", "api"]);
    expect(ended.outcome).toContain("/algobrain rotate-jwt-secret drop");
    expect(changed).toEqual([]);
  });

  test("no value is in any row, line, audit entry or record of a call (X-31)", async () => {
    const { run: ended } = await scene.run("rotate-jwt-secret");
    const [fresh = ""] = valuesOf("jwt-secret");
    const all = await scene.seen(ended.id);
    expect(all).toContain("put the new version beside the one that is read");
    for (const value of [fresh, OLD]) expect(all).not.toContain(value);
  });

  test("a dry run names what it would do and does nothing", async () => {
    const { run: planned } = await scene.run("rotate-jwt-secret", {}, { dryRun: true });
    expect(planned.plan?.changes).toEqual([
      `${pathOf("jwt-secret")}: a new value before the ones of now; all are accepted`,
      ...["orchestrator (1", "workers (12", "api (2"].map((words) => `restart ${words} tasks)`),
    ]);
    expect(valuesOf("jwt-secret")).toEqual([OLD]);
    expect(scene.world.verbs()).not.toContain("readSecret");
  });

  test("the old key is dropped when the longest token has ended, and not before", async () => {
    await scene.run("rotate-jwt-secret");
    const early = await scene.run("rotate-jwt-secret", { part: "drop" });
    expect(early.run.outcome).toContain("found less than 90d since");
    expect(valuesOf("jwt-secret")).toHaveLength(2);
    const [fresh] = valuesOf("jwt-secret");
    const late = await scene.run("rotate-jwt-secret", { part: "drop", overlap: "0s" });
    expect(late.run).toMatchObject({ status: "succeeded", verified: true });
    expect(valuesOf("jwt-secret")).toEqual([fresh]);
    expect(scene.restarted()).toHaveLength(6);
  });

  test("what is waited for by default is the longest life of a token", () => {
    const { overlap } = rotateJwtSecret.params.properties as { overlap: { default: string } };
    expect(parseDuration(overlap.default)).toBe(Math.max(...Object.values(TOKEN_TTL_MAX_MS)));
  });

  test("with one key there is nothing to drop", async () => {
    scene.world = laid(makeRotationWorld(-91 * DAY_MS));
    const { run: ended } = await scene.run("rotate-jwt-secret", { part: "drop" });
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining("one value"),
    });
    expect(scene.restarted()).toEqual([]);
  });

  test("after a leak the old key is refused at once, and no undo brings it back", async () => {
    const { run: ended } = await scene.run("rotate-jwt-secret", { part: "leaked" });
    expect(ended.status).toBe("succeeded");
    expect(valuesOf("jwt-secret")).toHaveLength(1);
    expect(valuesOf("jwt-secret")).not.toContain(OLD);
    const back = await scene.takeBack(ended);
    expect(back.steps.find(({ phase }) => phase === "undo")?.output).toContain("others know");
    expect(valuesOf("jwt-secret")).not.toContain(OLD);
  });

  test("a reader that does not come up again: the value of before is read again, also by those restarted", async () => {
    scene.world.services.fateOf("workers").fails = true;
    scene.world.services.fateOf("workers").looks = 1;
    const { run: ended } = await scene.run("rotate-jwt-secret");
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(ended.outcome).toContain("workers is");
    expect(valuesOf("jwt-secret")).toEqual([OLD]);
    expect(scene.restarted()).toEqual(["orchestrator", "workers", "orchestrator", "workers"]);
  });

  test("a person's undo brings the old value back, once: what was changed since is left", async () => {
    const { run: first } = await scene.run("rotate-jwt-secret");
    await scene.run("rotate-jwt-secret");
    const late = await scene.takeBack(first);
    expect(late.steps.find(({ phase }) => phase === "undo")?.output).toContain(
      "changed again since",
    );
    expect(valuesOf("jwt-secret")).toHaveLength(3);
  });

  test.each([
    ["is missing", () => makeAwsWorld(), `there is no secret ${pathOf("jwt-secret")}`],
    [
      "has no value",
      () => {
        const made = makeAwsWorld();
        made.secrets.place(pathOf("jwt-secret"), "x", "AWSPENDING");
        return made;
      },
      "has no value yet",
    ],
  ])("a secret that %s is refused with what to do", async (_what, make, outcome) => {
    scene.world = make();
    const { run: ended } = await scene.run("rotate-jwt-secret");
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(outcome) });
    expect(scene.restarted()).toEqual([]);
  });

  test("nothing is rotated while a reader is being deployed", async () => {
    scene.world.services.fateOf("api").looks = 50;
    await scene.world.aws.updateService({ service: "api", forceNew: true });
    const { run: ended } = await scene.run("rotate-jwt-secret");
    expect(ended.outcome).toContain("api is being deployed");
    expect(valuesOf("jwt-secret")).toEqual([OLD]);
  });

  test.each(["putSecret", "promoteSecret", "updateService"] as const)(
    "an answer of %s that was lost leaves one current value, and each reader restarted once",
    async (verb) => {
      scene.world.fail(
        verb,
        fault.transient("AWS_UNREACHABLE", "the connection was reset"),
        "lost",
      );
      const { run: ended } = await scene.run("rotate-jwt-secret");
      expect(ended).toMatchObject({ status: "succeeded", verified: true });
      const { versions } = (await scene.world.aws.secret(pathOf("jwt-secret")))!;
      expect(versions.filter(({ stages }) => stages.includes("AWSCURRENT"))).toHaveLength(1);
      expect(valuesOf("jwt-secret")).toHaveLength(2);
      expect(scene.restarted()).toEqual(["orchestrator", "workers", "api"]);
    },
  );

  test("wherever its executor dies, one new key is current, none waits, and each reader was restarted once", async () => {
    const points = await crashEverywhere(ground, "rotate-jwt-secret", async () => {
      scene.world = laid(makeRotationWorld());
      const effects = async () => {
        const { versions } = (await scene.world.aws.secret(pathOf("jwt-secret")))!;
        const stages = versions.flatMap((version) => version.stages);
        const isRight =
          valuesOf("jwt-secret").length === 2 && stages.join() === "AWSPREVIOUS,AWSCURRENT";
        return isRight && scene.restarted().join() === "orchestrator,workers,api" ? 1 : 9;
      };
      return { params: {}, other: scene.other(), effects };
    });
    // Four steps, each with its intent, its effect and its result; and the intent to verify.
    expect(points.map(({ ended }) => ended)).toEqual(Array(13).fill("succeeded"));
  });
});

describe("rotate-webhook-secret", () => {
  test("accepts both for a while, says what to give GitHub, and drops the old one then (HB-sec-08)", async () => {
    const added = await scene.run("rotate-webhook-secret");
    expect(added.run.outcome).toContain("give GitHub the text before the first comma");
    const [fresh, old] = valuesOf("webhook-secret");
    expect([fresh, old]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), OLD]);
    expect(scene.restarted()).toEqual(["api"]);
    const dropped = await scene.run("rotate-webhook-secret", { part: "drop", overlap: "0s" });
    expect(dropped.run).toMatchObject({ status: "succeeded", verified: true });
    expect(valuesOf("webhook-secret")).toEqual([fresh]);
  });

  test("no sixth value is put into the list", async () => {
    scene.place("webhook-secret", "one,two,three,four,five");
    const { run: ended } = await scene.run("rotate-webhook-secret");
    expect(ended.outcome).toContain("5 values are accepted already");
    expect(valuesOf("webhook-secret")).toHaveLength(5);
  });
});
