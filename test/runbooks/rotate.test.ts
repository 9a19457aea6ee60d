/** Runbooks that rotate secrets, against a made-up account, on a real database and with the power that they declare. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import rotateJwtSecret from "../../runbooks/rotate-jwt-secret.js";
import rotateWebhookSecret from "../../runbooks/rotate-webhook-secret.js";
import { systemClock } from "../../src/base/clock.js";
import { DAY_MS, parseDuration } from "../../src/base/duration.js";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import { issueToken, TOKEN_TTL_MAX_MS, verifyToken } from "../../src/web/token.js";
import { type AwsWorld, makeAwsWorld } from "../support/aws-world.js";
import {
  crashEverywhere,
  openGround,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../support/runbook.js";
import { makeRegistry } from "../support/runbook-world.js";

const JWT = "algobrain/prod/jwt-secret";
const WEBHOOK = "algobrain/prod/webhook-secret";
const OLD = "old-marker-of-the-key-that-was-there-0123456789";

let ground: RunbookGround;
let world: AwsWorld;
beforeAll(async () => {
  ground = await openGround(makeRegistry(rotateJwtSecret, rotateWebhookSecret));
});
afterAll(() => ground.drop());
beforeEach(() => {
  world = makeWorld();
});

/** Its clock is as far from now as the case wants. */
function makeWorld(shiftMs = 0): AwsWorld {
  const made = makeAwsWorld({ now: () => new Date(systemClock.now().getTime() + shiftMs) });
  for (const path of [JWT, WEBHOOK]) made.secrets.place(path, OLD);
  for (const name of ["orchestrator", "workers", "api"]) made.services.fateOf(name).looks = 0;
  return made;
}

const other = () => {
  const { aws } = world;
  return { openAws: async () => ({ aws, close: async () => {} }) };
};
const run = (name: string, params: JsonObject = {}, more: { dryRun?: boolean } = {}) =>
  rehearse(ground, name, { params, ...more, other: other() });
const valuesOf = (path: string) => world.secrets.valueOf(path)?.split(",") ?? [];
const restarted = () =>
  world.calls.filter(({ operation }) => operation === "updateService").map(({ target }) => target);
/** Everything of a run that people or later readers may see, and every record of a call. */
const seen = async (id: string) => {
  const { rows } = await ground.db.query<{ text: string }>(
    `SELECT coalesce(string_agg(t, ' '), '') AS text FROM (
       SELECT to_jsonb(r)::text AS t FROM control.run r WHERE id = $1
       UNION ALL SELECT to_jsonb(s)::text FROM control.run_step s
       UNION ALL SELECT to_jsonb(l)::text FROM control.run_line l
       UNION ALL SELECT to_jsonb(a)::text FROM public.audit_log a) AS all_of_it`,
    [id],
  );
  return `${rows[0]!.text} ${JSON.stringify(world.calls)}`;
};

describe("rotate-jwt-secret", () => {
  test("adds a key that signs, and tokens of the old one are accepted: nobody is logged out (X-34, HB-sec-07)", async () => {
    const now = systemClock.now();
    const asked = { subject: "ann", role: "operator", ttlMs: DAY_MS, now } as const;
    const before = await issueToken(asked, [OLD]);
    const { run: ended, changed } = await run("rotate-jwt-secret");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const [fresh, ...others] = valuesOf(JWT);
    expect(others).toEqual([OLD]);
    expect(Buffer.from(fresh!, "base64")).toHaveLength(64);
    expect(await verifyToken(before.token, valuesOf(JWT), now)).toMatchObject({ ok: true });
    const after = await issueToken(asked, valuesOf(JWT));
    expect(await verifyToken(after.token, [fresh!], now)).toMatchObject({ ok: true });
    expect(restarted()).toEqual(["orchestrator", "workers", "api"]);
    expect(ended.outcome).toContain("/algobrain rotate-jwt-secret drop");
    expect(changed).toEqual([]);
  });

  test("no value is in any row, line, audit entry or record of a call (X-31)", async () => {
    const { run: ended } = await run("rotate-jwt-secret");
    const [fresh = ""] = valuesOf(JWT);
    const all = await seen(ended.id);
    expect(all).toContain("put the new version beside the one that is read");
    for (const value of [fresh, OLD]) expect(all).not.toContain(value);
  });

  test("a dry run names what it would do and does nothing", async () => {
    const { run: planned } = await run("rotate-jwt-secret", {}, { dryRun: true });
    expect(planned.plan?.changes).toEqual([
      `${JWT}: a new value before the ones of now; all are accepted`,
      ...["orchestrator (1", "workers (12", "api (2"].map((words) => `restart ${words} tasks)`),
    ]);
    expect(valuesOf(JWT)).toEqual([OLD]);
    expect(world.verbs()).not.toContain("readSecret");
  });

  test("the old key is dropped when the longest token has ended, and not before", async () => {
    await run("rotate-jwt-secret");
    const early = await run("rotate-jwt-secret", { part: "drop" });
    expect(early.run.outcome).toContain("found less than 90d since");
    expect(valuesOf(JWT)).toHaveLength(2);
    const [fresh] = valuesOf(JWT);
    const late = await run("rotate-jwt-secret", { part: "drop", overlap: "0s" });
    expect(late.run).toMatchObject({ status: "succeeded", verified: true });
    expect(valuesOf(JWT)).toEqual([fresh]);
    expect(restarted()).toHaveLength(6);
  });

  test("what is waited for by default is the longest life of a token", () => {
    const { overlap } = rotateJwtSecret.params.properties as { overlap: { default: string } };
    expect(parseDuration(overlap.default)).toBe(Math.max(...Object.values(TOKEN_TTL_MAX_MS)));
  });

  test("with one key there is nothing to drop", async () => {
    world = makeWorld(-91 * DAY_MS);
    const { run: ended } = await run("rotate-jwt-secret", { part: "drop" });
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining("one value"),
    });
    expect(restarted()).toEqual([]);
  });

  test("after a leak the old key is refused at once, and no undo brings it back", async () => {
    const { run: ended } = await run("rotate-jwt-secret", { part: "leaked" });
    expect(ended.status).toBe("succeeded");
    expect(valuesOf(JWT)).toHaveLength(1);
    expect(valuesOf(JWT)).not.toContain(OLD);
    const back = await takeBack(ground, ended, { other: other() });
    expect(back.steps.find(({ phase }) => phase === "undo")?.output).toContain("others know");
    expect(valuesOf(JWT)).not.toContain(OLD);
  });

  test("a reader that does not come up again: the value of before is read again, also by those restarted", async () => {
    world.services.fateOf("workers").fails = true;
    world.services.fateOf("workers").looks = 1;
    const { run: ended } = await run("rotate-jwt-secret");
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(ended.outcome).toContain("workers is");
    expect(valuesOf(JWT)).toEqual([OLD]);
    expect(restarted()).toEqual(["orchestrator", "workers", "orchestrator", "workers"]);
  });

  test("a person's undo brings the old value back, once: what was changed since is left", async () => {
    const { run: first } = await run("rotate-jwt-secret");
    await run("rotate-jwt-secret");
    const late = await takeBack(ground, first, { other: other() });
    expect(late.steps.find(({ phase }) => phase === "undo")?.output).toContain(
      "changed again since",
    );
    expect(valuesOf(JWT)).toHaveLength(3);
  });

  test.each([
    ["is missing", () => makeAwsWorld(), `there is no secret ${JWT}`],
    [
      "has no value",
      () => {
        const made = makeAwsWorld();
        made.secrets.place(JWT, "x", "AWSPENDING");
        return made;
      },
      "has no value yet",
    ],
  ])("a secret that %s is refused with what to do", async (_what, make, outcome) => {
    world = make();
    const { run: ended } = await run("rotate-jwt-secret");
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(outcome) });
    expect(restarted()).toEqual([]);
  });

  test("nothing is rotated while a reader is being deployed", async () => {
    world.services.fateOf("api").looks = 50;
    await world.aws.updateService({ service: "api", forceNew: true });
    const { run: ended } = await run("rotate-jwt-secret");
    expect(ended.outcome).toContain("api is being deployed");
    expect(valuesOf(JWT)).toEqual([OLD]);
  });

  test.each(["putSecret", "promoteSecret", "updateService"] as const)(
    "an answer of %s that was lost leaves one current value, read by all",
    async (verb) => {
      world.fail(verb, fault.transient("AWS_UNREACHABLE", "the connection was reset"), "lost");
      const { run: ended } = await run("rotate-jwt-secret");
      const { versions } = (await world.aws.secret(JWT))!;
      expect(versions.filter(({ stages }) => stages.includes("AWSCURRENT"))).toHaveLength(1);
      expect(valuesOf(JWT)).toHaveLength(ended.status === "succeeded" ? 2 : 1);
    },
  );

  test("wherever its executor dies, one new key is current, none waits, and each reader was restarted once", async () => {
    const points = await crashEverywhere(ground, "rotate-jwt-secret", async () => {
      world = makeWorld();
      const effects = async () => {
        const { versions } = (await world.aws.secret(JWT))!;
        const stages = versions.flatMap((version) => version.stages);
        const isRight = valuesOf(JWT).length === 2 && stages.join() === "AWSPREVIOUS,AWSCURRENT";
        return isRight && restarted().join() === "orchestrator,workers,api" ? 1 : 9;
      };
      return { params: {}, other: other(), effects };
    });
    // Four steps, each with its intent, its effect and its result; and the intent to verify.
    expect(points.map(({ ended }) => ended)).toEqual(Array(13).fill("succeeded"));
  });
});

describe("rotate-webhook-secret", () => {
  test("accepts both for a while, says what to give GitHub, and drops the old one then (HB-sec-08)", async () => {
    const added = await run("rotate-webhook-secret");
    expect(added.run.outcome).toContain("give GitHub the text before the first comma");
    const [fresh, old] = valuesOf(WEBHOOK);
    expect([fresh, old]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), OLD]);
    expect(restarted()).toEqual(["api"]);
    const dropped = await run("rotate-webhook-secret", { part: "drop", overlap: "0s" });
    expect(dropped.run).toMatchObject({ status: "succeeded", verified: true });
    expect(valuesOf(WEBHOOK)).toEqual([fresh]);
  });

  test("no sixth value is put into the list", async () => {
    world.secrets.place(WEBHOOK, "one,two,three,four,five");
    const { run: ended } = await run("rotate-webhook-secret");
    expect(ended.outcome).toContain("5 values are accepted already");
    expect(valuesOf(WEBHOOK)).toHaveLength(5);
  });
});
