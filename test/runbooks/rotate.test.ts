/** Runbooks that rotate secrets, against a made-up account, on a real database and with the power that they declare. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import rotateDbPassword from "../../runbooks/rotate-db-password.js";
import rotateGithubToken from "../../runbooks/rotate-github-token.js";
import rotateJwtSecret from "../../runbooks/rotate-jwt-secret.js";
import rotateRedisPassword from "../../runbooks/rotate-redis-password.js";
import rotateWebhookSecret from "../../runbooks/rotate-webhook-secret.js";
import { systemClock } from "../../src/base/clock.js";
import { DAY_MS, parseDuration } from "../../src/base/duration.js";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import type { SecretText } from "../../src/base/secret-text.js";
import { sessionPolicy } from "../../src/runbook/power.js";
import { filled } from "../../src/runtime/executor/aws-session.js";
import type { RunbookHandlerDeps } from "../../src/runtime/handler/runbook.js";
import { openDatabase } from "../../src/store/database.js";
import { issueToken, TOKEN_TTL_MAX_MS, verifyToken } from "../../src/web/token.js";
import { type AwsWorld, makeAwsWorld } from "../support/aws-world.js";
import {
  crashEverywhere,
  openGround,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../support/runbook.js";
import { makeHandlerDeps, makeRegistry } from "../support/runbook-world.js";

const JWT = "algobrain/prod/jwt-secret";
const WEBHOOK = "algobrain/prod/webhook-secret";
const OLD = "old-marker-of-the-key-that-was-there-0123456789";

const DATABASE = "algobrain/prod/database-url";
const MIGRATOR = "algobrain/prod/database-url-migrator";
const GITHUB = "algobrain/prod/github-token";
const REDIS = "algobrain/prod/redis-password";
const ALL = ["orchestrator", "workers", "api"];
const RUNBOOKS = [
  ...[rotateJwtSecret, rotateWebhookSecret, rotateGithubToken, rotateDbPassword],
  rotateRedisPassword,
];
/** Users belong to the whole server, so their names say whose they are. */
const STEM = `algobrain_test_${process.pid}`;
const USERS = { a: `${STEM}_a`, b: `${STEM}_b` };
const FIRST_PASSWORD = "first-password-of-the-user-in-use";

let ground: RunbookGround;
let world: AwsWorld;
let github: ReturnType<typeof makeGitHub>;
beforeAll(async () => {
  ground = await openGround(makeRegistry(...RUNBOOKS));
  await makeUsers();
});
afterAll(async () => {
  await ground.db.query(`DROP ROLE IF EXISTS ${USERS.a}; DROP ROLE IF EXISTS ${USERS.b}`);
  await ground.drop();
});
beforeEach(() => {
  world = makeWorld();
  github = makeGitHub();
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
  return { openAws: async () => ({ aws, close: async () => {} }), care: careOf() };
};

/** Which tokens GitHub takes. */
function makeGitHub() {
  const taken = new Set<string>();
  return {
    taken,
    tried: [] as string[],
    /** Instead of revoking the next one. */
    revokeFails: null as Error | null,
  };
}

/** As the program has it, but with a GitHub of the test's own. */
function careOf(): RunbookHandlerDeps["care"] {
  const { care } = makeHandlerDeps(ground.db, { directUrl: ground.url });
  return (sql, actor, shell) => {
    const { database, system } = care(sql, actor, shell);
    const ways = {
      testGitHubToken: async (token: SecretText) => {
        github.tried.push(token.reveal());
        if (github.taken.has(token.reveal())) return { endsAt: new Date("2027-01-01T00:00:00Z") };
        throw fault.refused("GITHUB_TOKEN_REFUSED", "GitHub refused the token (401)");
      },
      revokeGitHubToken: async (token: SecretText) => {
        if (github.revokeFails) throw github.revokeFails;
        github.taken.delete(token.reveal());
      },
    };
    return { database, system: { ...system, ...ways } };
  };
}

async function makeUsers(): Promise<void> {
  for (const user of [USERS.a, USERS.b])
    await ground.db.query(`DROP ROLE IF EXISTS ${user}; CREATE ROLE ${user} LOGIN`);
}
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
    "an answer of %s that was lost leaves one current value, and each reader restarted once",
    async (verb) => {
      world.fail(verb, fault.transient("AWS_UNREACHABLE", "the connection was reset"), "lost");
      const { run: ended } = await run("rotate-jwt-secret");
      expect(ended).toMatchObject({ status: "succeeded", verified: true });
      const { versions } = (await world.aws.secret(JWT))!;
      expect(versions.filter(({ stages }) => stages.includes("AWSCURRENT"))).toHaveLength(1);
      expect(valuesOf(JWT)).toHaveLength(2);
      expect(restarted()).toEqual(["orchestrator", "workers", "api"]);
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

describe("rotate-github-token", () => {
  const OLD_TOKEN = "ghp_old-marker-000000000000000000000000";
  const NEW_TOKEN = "ghp_new-marker-111111111111111111111111";
  const lay = ({ waits = true } = {}) => {
    world.secrets.place(GITHUB, OLD_TOKEN);
    if (waits) world.secrets.place(GITHUB, NEW_TOKEN, "AWSPENDING");
    for (const token of [OLD_TOKEN, NEW_TOKEN]) github.taken.add(token);
  };

  test("tries the new one, switches, restarts its readers and revokes the old one, in this order (X-78)", async () => {
    lay();
    const { run: ended } = await run("rotate-github-token");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.outcome).toContain("the old token is revoked");
    expect(world.secrets.valueOf(GITHUB)).toBe(NEW_TOKEN);
    expect([...github.taken]).toEqual([NEW_TOKEN]);
    expect(restarted()).toEqual(["workers"]);
    expect(github.tried).toEqual([NEW_TOKEN, NEW_TOKEN]);
    const all = await seen(ended.id);
    for (const token of [OLD_TOKEN, NEW_TOKEN]) expect(all).not.toContain(token);
  });

  test("without a token that waits it says how to put one, in no argument list (X-31)", async () => {
    lay({ waits: false });
    const { run: ended } = await run("rotate-github-token");
    expect(ended.outcome).toContain("--secret-string file:///dev/stdin");
    expect(world.secrets.valueOf(GITHUB)).toBe(OLD_TOKEN);
  });

  test("a token that GitHub refuses is never switched to", async () => {
    lay();
    github.taken.delete(NEW_TOKEN);
    const { run: ended } = await run("rotate-github-token");
    expect(ended.status).toBe("failed");
    expect(world.secrets.valueOf(GITHUB)).toBe(OLD_TOKEN);
    expect(restarted()).toEqual([]);
    expect([...github.taken]).toEqual([OLD_TOKEN]);
  });

  test("what cannot be revoked is told, and no reason to go back", async () => {
    lay();
    github.revokeFails = fault.refused(
      "GITHUB_TOKEN_NOT_REVOCABLE",
      "GitHub revokes none of its kind",
    );
    const { run: ended } = await run("rotate-github-token");
    expect(ended.status).toBe("succeeded");
    expect(ended.outcome).toContain("REVOKE THE OLD TOKEN BY HAND: GitHub revokes none");
    expect(world.secrets.valueOf(GITHUB)).toBe(NEW_TOKEN);
  });

  test("undo goes back to a token that works, and to none that is revoked", async () => {
    lay();
    const kept = await run("rotate-github-token", { revoke: false });
    expect(kept.run.outcome).toContain("the old token still works");
    await takeBack(ground, kept.run, { other: other() });
    expect(world.secrets.valueOf(GITHUB)).toBe(OLD_TOKEN);
    world = makeWorld();
    lay();
    const gone = await run("rotate-github-token");
    await takeBack(ground, gone.run, { other: other() });
    expect(world.secrets.valueOf(GITHUB)).toBe(NEW_TOKEN);
  });
});

describe("rotate-db-password", () => {
  const addressOf = (user: string, password: string) => {
    const url = new URL(ground.url);
    url.username = user;
    url.password = password;
    return url.href;
  };
  const lay = async (user = USERS.a) => {
    await ground.db.query(`ALTER ROLE ${user} PASSWORD '${FIRST_PASSWORD}'`);
    world.secrets.place(DATABASE, addressOf(user, FIRST_PASSWORD));
    world.secrets.place(MIGRATOR, ground.url);
  };
  const current = () => new URL(world.secrets.valueOf(DATABASE) ?? "");
  const loginAs = async (address: string) => {
    const db = openDatabase({
      ...{ url: address, ssl: false, poolMax: 1, applicationName: "test-login" },
    });
    try {
      return (await db.query<{ user: string }>("SELECT current_user AS user")).rows[0]?.user;
    } catch (error) {
      return (error as { details?: { sqlstate?: string } }).details?.sqlstate;
    } finally {
      await db.close();
    }
  };

  test("the idle user gets the password, the services move over, and the old one is locked out (X-33)", async () => {
    await lay();
    const { run: ended, changed } = await run("rotate-db-password");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.outcome).toContain(`the services are ${USERS.b}`);
    expect(current().username).toBe(USERS.b);
    expect(await loginAs(current().href)).toBe(USERS.b);
    expect(restarted()).toEqual(ALL);
    expect(changed).toEqual([]);
    const all = await seen(ended.id);
    for (const value of [FIRST_PASSWORD, current().password]) expect(all).not.toContain(value);
  });

  test("and back to the first one the next time", async () => {
    await lay(USERS.b);
    await run("rotate-db-password");
    expect(current().username).toBe(USERS.a);
  });

  test.each([
    ["a user that is none of two", () => addressOf("algobrain", "p"), "ends in _a or _b"],
    ["no address", () => "just-a-password-marker", "found no address"],
  ])("refuses %s and quotes nothing of it", async (_what, make, words) => {
    await lay();
    world.secrets.place(DATABASE, make());
    const { run: ended } = await run("rotate-db-password");
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(words) });
    expect(await seen(ended.id)).not.toContain("just-a-password-marker");
    expect(restarted()).toEqual([]);
  });

  test("a user that was never made is named with the statement that makes it, and nothing moves", async () => {
    await lay();
    world.secrets.place(DATABASE, addressOf(`${STEM}_none_a`, "p"));
    const { run: ended } = await run("rotate-db-password");
    expect(ended.outcome).toContain(`CREATE ROLE ${STEM}_none_b LOGIN`);
    expect(restarted()).toEqual([]);
  });

  test("somebody else who is still the old user is not locked out: all goes back", async () => {
    await lay();
    const stays = openDatabase({
      ...{ url: addressOf(USERS.a, FIRST_PASSWORD), ssl: false, poolMax: 1 },
      applicationName: "somebody-else",
    });
    try {
      await stays.query("SELECT 1");
      const { run: ended } = await run("rotate-db-password");
      expect(ended).toMatchObject({ status: "failed", undone: "complete" });
      expect(ended.outcome).toContain(`found 1 sessions of ${USERS.a}, expected none`);
      expect(current().username).toBe(USERS.a);
    } finally {
      await stays.close();
    }
  });
});

describe("rotate-redis-password", () => {
  const FIRST = "first-token-of-the-cache";
  const lay = () => {
    world.secrets.place(REDIS, FIRST);
    world.cacheTokens = [FIRST];
  };

  test("both are accepted until all readers have the new one, then it alone (HB-sec-08)", async () => {
    lay();
    const { run: ended } = await run("rotate-redis-password");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const fresh = world.secrets.valueOf(REDIS);
    expect(fresh).toMatch(/^[A-Za-z0-9]{64}$/);
    expect(world.cacheTokens).toEqual([fresh]);
    const order = ["setCacheToken", "promoteSecret", "updateService"];
    expect(world.verbs().filter((verb) => order.includes(verb))).toEqual([
      ...["setCacheToken", "promoteSecret", ...ALL.map(() => "updateService"), "setCacheToken"],
    ]);
    expect(await seen(ended.id)).not.toContain(fresh);
  });

  test("a reader that fails goes back to the old token, which the cache still accepts", async () => {
    lay();
    world.services.fateOf("workers").fails = true;
    world.services.fateOf("workers").looks = 1;
    const { run: ended } = await run("rotate-redis-password");
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(world.secrets.valueOf(REDIS)).toBe(FIRST);
    expect(world.cacheTokens).toContain(FIRST);
  });

  test("once the old token may be gone, undo leaves the new one", async () => {
    lay();
    const { run: ended } = await run("rotate-redis-password");
    await takeBack(ground, ended, { other: other() });
    expect(world.secrets.valueOf(REDIS)).not.toBe(FIRST);
  });

  test.each([
    ["asks for no token", { authToken: false }, "asks nobody for a token"],
    ["is being changed", { status: "modifying" }, "the cache is modifying"],
  ])("a cache that %s is left alone", async (_what, view, words) => {
    lay();
    world.cache = { ...world.cache, ...view };
    const { run: ended } = await run("rotate-redis-password");
    expect(ended.outcome).toContain(words);
    expect(world.cacheTokens).toEqual([FIRST]);
  });

  test("wherever its executor dies, the cache never loses the token that services have", async () => {
    const points = await crashEverywhere(ground, "rotate-redis-password", async () => {
      world = makeWorld();
      lay();
      const effects = async () => {
        const fresh = world.secrets.valueOf(REDIS) ?? "";
        const isRight = world.cacheTokens.join() === fresh && restarted().join() === ALL.join();
        return isRight ? 1 : 9;
      };
      const steps = ["let the cache accept both", "let the cache accept only the new one"];
      return { params: {}, other: other(), effects, steps };
    });
    expect(points.map(({ ended }) => ended)).toEqual(Array(6).fill("succeeded"));
  });
});

test.each(RUNBOOKS)(
  "$name declares a session that AWS takes, for one secret alone",
  ({ touches }) => {
    const aws = filled(touches.aws ?? [], makeAwsWorld().place);
    const { Statement } = sessionPolicy({ ...touches, aws })!;
    const writing = Statement.filter(({ Action }) =>
      Action.includes("secretsmanager:PutSecretValue"),
    );
    expect(writing.flatMap(({ Resource }) => Resource)).toEqual([
      expect.stringMatching(/:secret:algobrain\/prod\/[a-z-]+-\*$/),
    ]);
  },
);
