/** Credentials of others: tried before they are used, and the old ones end when nobody needs them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import rotateDbPassword from "../../runbooks/rotate-db-password.js";
import rotateGithubToken from "../../runbooks/rotate-github-token.js";
import rotateJwtSecret from "../../runbooks/rotate-jwt-secret.js";
import rotateRedisPassword from "../../runbooks/rotate-redis-password.js";
import rotateWebhookSecret from "../../runbooks/rotate-webhook-secret.js";
import { fault } from "../../src/base/fault.js";
import type { SecretText } from "../../src/base/secret-text.js";
import { sessionPolicy } from "../../src/runbook/power.js";
import { filled } from "../../src/runtime/executor/aws-session.js";
import type { RunbookHandlerDeps } from "../../src/runtime/handler/runbook.js";
import { openDatabase } from "../../src/store/database.js";
import { MASTER_SECRET, makeAwsWorld } from "../support/aws-world.js";
import { ALL_READERS, makeRotationWorld, RotationScene } from "../support/rotation.js";
import { crashEverywhere, openGround, type RunbookGround } from "../support/runbook.js";
import { makeHandlerDeps, makeRegistry } from "../support/runbook-world.js";
import { createTwoUsers } from "../support/two-users.js";

/** Users belong to the whole server, so their names say whose they are. */
const STEM = `algobrain_test_${process.pid}`;
const USERS = { a: `${STEM}_a`, b: `${STEM}_b` };
const FIRST_PASSWORD = "first-password-of-the-user-in-use";

let ground: RunbookGround;
let scene: RotationScene;
let github: ReturnType<typeof makeGitHub>;
beforeAll(async () => {
  ground = await openGround(makeRegistry(rotateGithubToken, rotateDbPassword, rotateRedisPassword));
  for (const user of [USERS.a, USERS.b])
    await ground.db.query(`DROP ROLE IF EXISTS ${user}; CREATE ROLE ${user} LOGIN`);
});
afterAll(async () => {
  await ground.db.query(`DROP ROLE IF EXISTS ${USERS.a}; DROP ROLE IF EXISTS ${USERS.b}`);
  await ground.drop();
});
beforeEach(() => {
  github = makeGitHub();
  scene = new RotationScene(ground, careOf());
});

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

describe("rotate-github-token", () => {
  const OLD_TOKEN = "ghp_old-marker-000000000000000000000000";
  const NEW_TOKEN = "ghp_new-marker-111111111111111111111111";
  const lay = ({ waits = true } = {}) => {
    scene.place("github-token", OLD_TOKEN);
    if (waits) scene.place("github-token", NEW_TOKEN, "AWSPENDING");
    for (const token of [OLD_TOKEN, NEW_TOKEN]) github.taken.add(token);
  };

  test("tries the new one, switches, restarts its readers and revokes the old one, in this order (X-78)", async () => {
    lay();
    const { run: ended } = await scene.run("rotate-github-token");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.outcome).toContain("the old token is revoked");
    expect(scene.valueOf("github-token")).toBe(NEW_TOKEN);
    expect([...github.taken]).toEqual([NEW_TOKEN]);
    expect(scene.restarted()).toEqual(["workers"]);
    expect(github.tried).toEqual([NEW_TOKEN, NEW_TOKEN]);
    const all = await scene.seen(ended.id);
    for (const token of [OLD_TOKEN, NEW_TOKEN]) expect(all).not.toContain(token);
  });

  test("without a token that waits it says how to put one, in no argument list (X-31)", async () => {
    lay({ waits: false });
    const { run: ended } = await scene.run("rotate-github-token");
    expect(ended.outcome).toContain("--secret-string file:///dev/stdin");
    expect(scene.valueOf("github-token")).toBe(OLD_TOKEN);
  });

  test("a token that GitHub refuses is never switched to", async () => {
    lay();
    github.taken.delete(NEW_TOKEN);
    const { run: ended } = await scene.run("rotate-github-token");
    expect(ended.status).toBe("failed");
    expect(scene.valueOf("github-token")).toBe(OLD_TOKEN);
    expect(scene.restarted()).toEqual([]);
    expect([...github.taken]).toEqual([OLD_TOKEN]);
  });

  test("what cannot be revoked is told, and no reason to go back", async () => {
    lay();
    github.revokeFails = fault.refused(
      "GITHUB_TOKEN_NOT_REVOCABLE",
      "GitHub revokes none of its kind",
    );
    const { run: ended } = await scene.run("rotate-github-token");
    expect(ended.status).toBe("succeeded");
    expect(ended.outcome).toContain("REVOKE THE OLD TOKEN BY HAND: GitHub revokes none");
    expect(scene.valueOf("github-token")).toBe(NEW_TOKEN);
  });

  test("undo goes back to a token that works, and to none that is revoked", async () => {
    lay();
    const kept = await scene.run("rotate-github-token", { revoke: false });
    expect(kept.run.outcome).toContain("the old token still works");
    await scene.takeBack(kept.run);
    expect(scene.valueOf("github-token")).toBe(OLD_TOKEN);
    scene.world = makeRotationWorld();
    lay();
    const gone = await scene.run("rotate-github-token");
    await scene.takeBack(gone.run);
    expect(scene.valueOf("github-token")).toBe(NEW_TOKEN);
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
    scene.place("database-url", addressOf(user, FIRST_PASSWORD));
    keepLogin(ground.url);
  };
  /** As RDS keeps it: a login, and not where. */
  const keepLogin = (address: string) => {
    const { username, password } = new URL(address);
    scene.world.secrets.place(MASTER_SECRET, JSON.stringify({ username, password }));
  };
  const current = () => new URL(scene.valueOf("database-url"));
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
    const { run: ended, changed } = await scene.run("rotate-db-password");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.outcome).toContain(`the services are ${USERS.b}`);
    expect(current().username).toBe(USERS.b);
    expect(await loginAs(current().href)).toBe(USERS.b);
    expect(scene.restarted()).toEqual(ALL_READERS);
    expect(changed).toEqual([]);
    const all = await scene.seen(ended.id);
    for (const value of [FIRST_PASSWORD, current().password]) expect(all).not.toContain(value);
  });

  test("the pair of `algobrain db users` is changed by the owner of the tables, who is no superuser (HB-aws-24)", async () => {
    const users = await createTwoUsers();
    try {
      scene.place("database-url", users.applicationUrl);
      keepLogin(users.ownerUrl);
      for (const [used, old] of ["ba", "ab"]) {
        const before = current().href;
        expect(await loginAs(before)).toBe(`${users.group}_${old}`);
        const { run: ended } = await scene.run("rotate-db-password");
        expect(ended).toMatchObject({ status: "succeeded", verified: true });
        expect(await loginAs(current().href)).toBe(`${users.group}_${used}`);
        // "password authentication failed"
        expect(await loginAs(before)).toBe("28P01");
      }
    } finally {
      await users.drop();
    }
  });

  test("and back to the first one the next time", async () => {
    await lay(USERS.b);
    await scene.run("rotate-db-password");
    expect(current().username).toBe(USERS.a);
  });

  test.each([
    ["a user that is none of two", () => addressOf("algobrain", "p"), "ends in _a or _b"],
    ["no address", () => "just-a-password-marker", "found no address"],
  ])("refuses %s and quotes nothing of it", async (_what, make, words) => {
    await lay();
    scene.place("database-url", make());
    const { run: ended } = await scene.run("rotate-db-password");
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(words) });
    expect(await scene.seen(ended.id)).not.toContain("just-a-password-marker");
    expect(scene.restarted()).toEqual([]);
  });

  test("a password that RDS changes between reading and using it is read again", async () => {
    await lay();
    const { username } = new URL(ground.url);
    scene.world.secrets.place(MASTER_SECRET, JSON.stringify({ username, password: "of-before" }));
    const wrong = scene.world.aws.readSecret;
    let reads = 0;
    scene.world.aws.readSecret = async (request) => {
      if (request.name === MASTER_SECRET && ++reads === 2) keepLogin(ground.url);
      return wrong(request);
    };
    const { run: ended } = await scene.run("rotate-db-password");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    // Refused, taken, and taken again to lock the old user out.
    expect(reads).toBe(3);
    expect(await scene.seen(ended.id)).not.toContain("of-before");
  });

  test.each([
    ["is no login", "just-a-password-marker", "expected JSON with username and password"],
    ["is none of RDS", null, "expected manage_master_user_password"],
  ])(
    "a master user whose secret %s changes nothing, and is quoted nowhere",
    async (_what, value, words) => {
      await lay();
      if (value === null) scene.world.database = { ...scene.world.database, masterSecret: null };
      else scene.world.secrets.place(MASTER_SECRET, value);
      const { run: ended } = await scene.run("rotate-db-password");
      expect(ended).toMatchObject({ status: "failed", outcome: expect.stringContaining(words) });
      expect(await scene.seen(ended.id)).not.toContain("just-a-password-marker");
      expect(current().username).toBe(USERS.a);
    },
  );

  test("a user that was never made is named with the command that makes it, and nothing moves", async () => {
    await lay();
    scene.place("database-url", addressOf(`${STEM}_none_a`, "p"));
    const { run: ended } = await scene.run("rotate-db-password");
    expect(ended.outcome).toContain("algobrain db users");
    expect(scene.restarted()).toEqual([]);
  });

  test("somebody else who is still the old user is not locked out: all goes back", async () => {
    await lay();
    const stays = openDatabase({
      ...{ url: addressOf(USERS.a, FIRST_PASSWORD), ssl: false, poolMax: 1 },
      applicationName: "somebody-else",
    });
    try {
      await stays.query("SELECT 1");
      const { run: ended } = await scene.run("rotate-db-password");
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
    scene.place("redis-password", FIRST);
    scene.world.cacheTokens = [FIRST];
  };

  test("both are accepted until all readers have the new one, then it alone (HB-sec-08)", async () => {
    lay();
    const { run: ended } = await scene.run("rotate-redis-password");
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const fresh = scene.valueOf("redis-password");
    expect(fresh).toMatch(/^[A-Za-z0-9]{64}$/);
    expect(scene.world.cacheTokens).toEqual([fresh]);
    const order = ["setCacheToken", "promoteSecret", "updateService"];
    expect(scene.world.verbs().filter((verb) => order.includes(verb))).toEqual([
      ...[
        "setCacheToken",
        "promoteSecret",
        ...ALL_READERS.map(() => "updateService"),
        "setCacheToken",
      ],
    ]);
    expect(await scene.seen(ended.id)).not.toContain(fresh);
  });

  test("a reader that fails goes back to the old token, which the cache still accepts", async () => {
    lay();
    scene.world.services.fateOf("workers").fails = true;
    scene.world.services.fateOf("workers").looks = 1;
    const { run: ended } = await scene.run("rotate-redis-password");
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(scene.valueOf("redis-password")).toBe(FIRST);
    expect(scene.world.cacheTokens).toContain(FIRST);
  });

  test("once the old token may be gone, undo leaves the new one", async () => {
    lay();
    const { run: ended } = await scene.run("rotate-redis-password");
    await scene.takeBack(ended);
    expect(scene.valueOf("redis-password")).not.toBe(FIRST);
  });

  test.each([
    ["asks for no token", { authToken: false }, "asks nobody for a token"],
    ["is being changed", { status: "modifying" }, "the cache is modifying"],
  ])("a cache that %s is left alone", async (_what, view, words) => {
    lay();
    scene.world.cache = { ...scene.world.cache, ...view };
    const { run: ended } = await scene.run("rotate-redis-password");
    expect(ended.outcome).toContain(words);
    expect(scene.world.cacheTokens).toEqual([FIRST]);
  });

  test("wherever its executor dies, the cache never loses the token that services have", async () => {
    const points = await crashEverywhere(ground, "rotate-redis-password", async () => {
      scene.world = makeRotationWorld();
      lay();
      const effects = async () => {
        const fresh = scene.valueOf("redis-password") ?? "";
        const isRight =
          scene.world.cacheTokens.join() === fresh &&
          scene.restarted().join() === ALL_READERS.join();
        return isRight ? 1 : 9;
      };
      const steps = ["let the cache accept both", "let the cache accept only the new one"];
      return { params: {}, other: scene.other(), effects, steps };
    });
    expect(points.map(({ ended }) => ended)).toEqual(Array(6).fill("succeeded"));
  });
});

test.each([
  ...[rotateJwtSecret, rotateWebhookSecret, rotateGithubToken, rotateDbPassword],
  rotateRedisPassword,
])("$name declares a session that AWS takes, for one secret alone", ({ touches }) => {
  const aws = filled(touches.aws ?? [], makeAwsWorld().place);
  const { Statement } = sessionPolicy({ ...touches, aws })!;
  const writing = Statement.filter(({ Action }) =>
    Action.includes("secretsmanager:PutSecretValue"),
  );
  expect(writing.flatMap(({ Resource }) => Resource)).toEqual([
    expect.stringMatching(/:secret:algobrain\/prod\/[a-z-]+-\*$/),
  ]);
});
