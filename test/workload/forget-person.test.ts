import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { KindRegistry } from "../../src/job/kinds.js";
import type { JobContext } from "../../src/job/port.js";
import { verifyAudit } from "../../src/store/audit.js";
import { replaceClaims } from "../../src/store/claims.js";
import type { Database, Sql } from "../../src/store/database.js";
import { addEvent } from "../../src/store/events.js";
import { recordGithubDelivery } from "../../src/store/github-deliveries.js";
import { addIdentities } from "../../src/store/identities.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { PERSON_TEXTS } from "../../src/store/person-texts.js";
import { forgetPerson } from "../../src/workload/forget-person.js";
import { loadForgotten } from "../../src/workload/forgotten.js";
import { type ForgetPerson, WORKLOAD_KINDS } from "../../src/workload/payloads.js";
import { personKey } from "../../src/workload/person.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { addCommits, makeRepository, withFolder } from "../support/git-repository.js";
import { holdJob } from "../support/held-job.js";
import { makeContext } from "../support/job-context.js";
import { until } from "../support/until.js";
import { placesIn, readWholeText } from "../support/whole-text.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

const FIRST = new Date("2020-01-01T00:00:00Z");
const LAST = new Date("2026-01-01T00:00:00Z");

interface Cast {
  readonly name: string;
  readonly login: string;
  readonly mail: string;
}

let test: TestDatabase;
let db: Database;
beforeAll(async () => {
  test = await createTestDatabase();
  db = test.db;
});
afterAll(() => test.drop());

let planted = 0;

/** A person with two mails merged into one identity, in two repositories, an event, and jobs that speak of them. */

async function plant({ name, login, mail }: Cast) {
  planted++;
  const noReply = `4711+${login}@users.noreply.github.com`;
  const ids = [personKey(name, mail).id, personKey(name, noReply).id];
  await addIdentities(
    db,
    [mail, noReply].map((email, at) => ({ id: ids[at]!, name, email, kind: "human" as const })),
  );
  await db.query("UPDATE identities SET merged_into = $2 WHERE id = $1", [ids[1], ids[0]]);
  await db.query(
    `INSERT INTO control.identity_merge (identity_id, target_id, reason, claim_ids, follower_ids, evidence)
     VALUES ($1, $2, 'same-full-name', '{}', '{}', $3)`,
    [ids[1], ids[0], JSON.stringify([{ name }])],
  );
  for (const repo of ["engine", "loom"])
    await addClaims(db, `${repo}-${planted}`, ids[0]!, [mail, noReply], name);
  await plantEvent({ name, login, mail });
  const broken = await enqueueJob(db, {
    kind: "sync",
    payload: { note: `asked by ${name} <${mail}>` },
  });
  await db.query(
    "UPDATE public.jobs SET status = 'quarantined', error = $2, fence = fence + 1, completed_at = now() WHERE seq = $1",
    [broken.seq, `no answer for ${mail.toUpperCase()}, https://github.com/${login} and ${ids[0]}`],
  );
  await db.query(
    `INSERT INTO control.job_line (job_seq, fence, ordinal, at, level, message) VALUES ($1, 1, 1, now(), 'warn', $2)`,
    [broken.seq, `read ${name}'s claims (${noReply})`],
  );
  return { ids };
}

async function addClaims(
  sql: Sql,
  repo: string,
  id: string,
  mails: readonly string[],
  name: string,
) {
  const seen = { commitCount: 7, firstSeenAt: FIRST, lastSeenAt: LAST, reason: "same-mail" };
  const own = mails.flatMap((email) =>
    (["author", "co-author"] as const).map((kind) => ({
      identityId: id,
      kind,
      name,
      email,
      ...seen,
    })),
  );
  const other = {
    identityId: "person-other",
    kind: "author" as const,
    name: "Bob",
    email: "bob@b.example",
  };
  await replaceClaims(sql, repo, [...own, { ...other, ...seen }]);
}

function pushOf({ name, login, mail }: Cast): JsonObject {
  const person = { name, email: mail, username: login };
  return {
    ref: "refs/heads/main",
    pusher: { name: login, email: mail },
    sender: { login, id: 4711, type: "User", html_url: `https://github.com/${login}` },
    repository: {
      full_name: `${login}/engine`,
      clone_url: `https://github.com/${login}/engine.git`,
    },
    head_commit: {
      ...{ id: "c0ffee", author: person },
      message: `Merge\n\nCo-authored-by: ${name} <${mail}>\nThanks @${login}`,
    },
  };
}

async function plantEvent(cast: Cast): Promise<void> {
  const payload = pushOf(cast);
  const event = { source: "github", eventType: "push", repoId: null, occurredAt: LAST, payload };
  await addEvent(db, { deliveryId: `d-${planted}`, ...event });
  await db.query(
    "INSERT INTO control.inbound (source, delivery_id, event_type, body, status) VALUES ('github', $1, 'push', $2, 'handled')",
    [`d-${planted}`, payload],
  );
}

/** As the webhook's door stores it and a worker reads it. */
async function deliver(cast: Cast, deliveryId: string): Promise<void> {
  const delivery = { deliveryId, eventType: "push", body: pushOf(cast) };
  await db.transaction((tx) => recordGithubDelivery(tx, delivery, { ignoredAs: null }));
  await workloadRunner(workloadDeps(db))("ingest", { delivery_id: deliveryId });
}

async function identify(repo_id: string, full = false): Promise<void> {
  await workloadRunner(workloadDeps(db))("identity", { repo_id, full });
}

/** A job that a worker holds, and what its handler is given. */
async function holdRequest(request: Omit<ForgetPerson, "repair_type">, signal?: AbortSignal) {
  const payload = { repair_type: "forget_person", ...request } as ForgetPerson;
  const { seq } = await enqueueJob(db, {
    kind: "repair",
    payload: payload as unknown as JsonObject,
  });
  const held = await holdJob(db, seq);
  const context = {
    ...makeContext({ seq, payload: {}, ...(signal ? { signal } : {}) }),
    job: held,
  };
  return { seq, context, run: (now: JobContext = context) => forgetPerson({ db }, payload, now) };
}

interface Total {
  readonly repo_id: string;
  readonly kind: string;
  readonly commits: number;
}

async function totals(): Promise<Total[]> {
  const { rows } = await db.query<Total>(
    "SELECT repo_id, kind, sum(commit_count)::int AS commits FROM claims GROUP BY 1, 2 ORDER BY 1, 2",
  );
  return rows;
}

/** Without what each look at it changes. */
async function readAll() {
  const texts = await readWholeText(db);
  for (const table of ["control.unique_hold", "control.job_tally"]) texts.delete(table);
  return texts;
}

function tracesOf({ name, login, mail }: Cast, ids: readonly string[]): RegExp {
  return new RegExp([name, login, mail, ...ids].join("|"), "i");
}

describe("forget_person", () => {
  it("leaves neither mail, login, name nor id anywhere, and every total as it was", async () => {
    const ada = { name: "Ada Lovelace", login: "countess-ada", mail: "ada.l@engine.example" };
    const { ids } = await plant(ada);
    const before = await totals();
    expect(placesIn(await readAll(), tracesOf(ada, ids)).length).toBeGreaterThan(6);

    const job = await holdRequest({
      mails: ["Ada.L@engine.example"],
      logins: ["@Countess-Ada"],
      request: "DSR-1",
    });
    const result = await job.run();

    expect(result).toMatchObject({ identities: 2, claims: 8, repos: 2, mails: 2, names: 1 });
    expect(result).toMatchObject({
      texts: { "public.events": 1, "control.inbound": 1, "public.jobs": 1 },
    });
    expect(placesIn(await readAll(), tracesOf(ada, ids))).toEqual([]);
    expect(await totals()).toEqual(before);
    const { rows } = await db.query(
      "SELECT name, email, commit_count, first_seen_at FROM claims WHERE identity_id = 'person-forgotten' AND kind = 'author' ORDER BY repo_id",
    );
    const folded = { name: "(forgotten)", email: "", commit_count: 14, first_seen_at: FIRST };
    expect(rows).toEqual([folded, folded]);
    expect((await verifyAudit(db)).ok).toBe(true);
  });

  it("keeps its own hold of its job, whose payload names nobody any more", async () => {
    const grace = { name: "Grace Hopper", login: "amazing-grace", mail: "grace@navy.example" };
    await plant(grace);
    const mails = [grace.mail, "grace@home.example"];
    const job = await holdRequest({ mails, logins: [grace.login], request: "DSR-2" });
    await job.run();
    const after = await readJob(db, job.seq);
    expect(after?.status).toBe("running");
    expect(after?.payload).toMatchObject({
      mails: ["(forgotten)"],
      logins: ["(forgotten)"],
      request: "DSR-2",
    });
    // Whoever takes the job up after a kill checks the payload first.
    expect(new KindRegistry(WORKLOAD_KINDS).checkPayload("repair", after!.payload)).toEqual([]);
    const { rows } = await db.query("SELECT fence FROM public.jobs WHERE seq = $1", [job.seq]);
    expect(rows).toEqual([{ fence: job.context.job.fence }]);
  });

  it("counts before what it does then, and a count changes nothing", async () => {
    const alan = { name: "Alan Turing", login: "prof-alan", mail: "alan@bletchley.example" };
    const { ids } = await plant(alan);
    const preview = await holdRequest({ identity_ids: [ids[1]!], request: "DSR-3", dry_run: true });
    const before = await readAll();
    const counted = await preview.run();
    expect(await readAll()).toEqual(before);
    expect(counted).toMatchObject({ dry_run: true, identity_ids: [...ids].sort() });

    const job = await holdRequest({ identity_ids: [ids[1]!], request: "DSR-3" });
    const { identities, claims, repos, texts } = await job.run();
    const counts = counted.texts as Record<string, number>;
    // The job that counted names them too, by the time it is done for.
    expect({ identities, claims, repos }).toEqual({ identities: 2, claims: 8, repos: 2 });
    expect(texts).toEqual({ ...counts, "public.jobs": counts["public.jobs"]! + 1 });
  });

  it("done twice changes nothing more: neither the same job nor the same request again", async () => {
    const edsger = { name: "Edsger Dijkstra", login: "ewd", mail: "ewd@tue.example" };
    await plant(edsger);
    const job = await holdRequest({ mails: [edsger.mail], logins: ["ewd"], request: "DSR-4" });
    await job.run();
    const again = await holdRequest({ mails: [edsger.mail], logins: ["ewd"], request: "DSR-4" });
    await db.query("DELETE FROM public.jobs WHERE seq = $1", [job.seq]);
    await again.run();
    const before = await readAll();
    expect(await again.run()).toMatchObject({ identities: 0, claims: 0, texts: {} });
    const scrubbed = (await readJob(db, again.seq))?.payload as unknown as ForgetPerson;
    expect(await forgetPerson({ db }, scrubbed, again.context)).toMatchObject({
      done_before: true,
    });
    expect(await readAll()).toEqual(before);
  });

  it("ended in the middle and begun again, it leaves as little as undisturbed", async () => {
    const barbara = { name: "Barbara Liskov", login: "substitute-b", mail: "liskov@mit.example" };
    const { ids } = await plant(barbara);
    const job = await holdRequest({
      mails: [barbara.mail],
      logins: [barbara.login],
      request: "DSR-5",
    });
    for (const table of ["public.events", "control.job_line", "public.jobs"]) {
      const cut = new AbortController();
      const progress = (_: number, note?: string) => {
        if (note === table) cut.abort(new Error("killed"));
      };
      const run = job.run({ ...job.context, progress, signal: cut.signal });
      await expect(run, table).rejects.toThrow("killed");
    }
    await job.run();
    expect(placesIn(await readAll(), tracesOf(barbara, ids))).toEqual([]);
    const { rows } = await db.query(
      "SELECT count(*)::int AS count FROM audit_log WHERE action = 'person.forgotten' AND target = $1",
      [job.context.job.id],
    );
    expect(rows).toEqual([{ count: 1 }]);
  });

  it("ended when all but its own payload was done, it knows its own work", async () => {
    const frances = { name: "Frances Allen", login: "fran-allen", mail: "fran@ibm.example" };
    const { ids } = await plant(frances);
    const job = await holdRequest({ identity_ids: [ids[0]!], request: "DSR-8" });
    const payload = (await readJob(db, job.seq))!.payload;
    await job.run();
    await db.transaction(async (tx) => {
      const set = "UPDATE public.jobs SET payload = $2, fence = fence + 1 WHERE seq = $1";
      await tx.query(set, [job.seq, payload]);
      await tx.query("UPDATE public.jobs SET fence = fence - 1 WHERE seq = $1", [job.seq]);
    });
    expect(await job.run()).toMatchObject({ identities: 0, claims: 0 });
    expect(placesIn(await readAll(), tracesOf(frances, ids))).toEqual([]);
  });

  it("finds the account that GitHub names beside the mail, though nobody asked for it", async () => {
    const margaret = { name: "Margaret Hamilton", login: "apollo-m", mail: "mh@mit.example" };
    planted++;
    await plantEvent(margaret);
    const job = await holdRequest({ mails: [margaret.mail], request: "DSR-9" });
    expect(await job.run()).toMatchObject({ logins: 1, identities: 0 });
    // Her name stands beside nothing but what is gone with it.
    expect(placesIn(await readAll(), tracesOf(margaret, []))).toEqual([]);
  });

  it("stays forgotten when all histories and events are read anew", async () => {
    const radia = { name: "Radia Perlman", login: "spanning-tree", mail: "radia@bridge.example" };
    const traces = tracesOf(radia, [personKey(radia.name, radia.mail).id]);
    await withFolder(async (folder) => {
      const by = (author: string, count: number, message?: string) =>
        Array.from({ length: count }, () => ({
          ...{ author, at: LAST.toISOString() },
          ...(message ? { message } : {}),
        }));
      const signed = `${radia.name} <${radia.mail}>`;
      const path = await makeRepository(join(folder, "bridge"), [
        ...by(signed, 5),
        ...by("Bob <bob@b.example>", 3, `change\n\nCo-authored-by: ${signed}\n`),
      ]);
      await db.query(
        "INSERT INTO repos (id, name, location, root) VALUES ('bridge', 'bridge', $1, $2)",
        [path, folder],
      );
      await identify("bridge");
      const before = (await totals()).filter(({ repo_id }) => repo_id === "bridge");
      expect(before).toEqual([
        { repo_id: "bridge", kind: "author", commits: 8 },
        { repo_id: "bridge", kind: "co-author", commits: 3 },
      ]);

      await (await holdRequest({ mails: [radia.mail], request: "DSR-10" })).run();
      expect(placesIn(await readAll(), traces)).toEqual([]);
      await identify("bridge", true);
      await addCommits(path, by(signed, 2));
      await identify("bridge");
      await deliver(radia, "anew");

      expect(placesIn(await readAll(), traces)).toEqual([]);
      const after = (await totals()).filter(({ repo_id }) => repo_id === "bridge");
      expect(after).toEqual([{ ...before[0], commits: 10 }, before[1]]);
    });
  });

  it("is bounded work for a mail that a hostile history gives names without end", async () => {
    const mail = "flood@engine.example";
    const { id } = personKey("", mail);
    await addIdentities(db, [{ id, name: "x", email: mail, kind: "human" }]);
    await db.query(
      `INSERT INTO claims (repo_id, identity_id, kind, name, email, commit_count)
       SELECT 'flood', $1, 'author', 'Flood ' || translate(n::text, '0123456789', 'abcdefghij'), $2, 1 FROM generate_series(1, 2000) n`,
      [id, mail],
    );
    const result = await (await holdRequest({ mails: [mail], request: "DSR-11" })).run();
    expect(result).toMatchObject({ claims: 2_000, names: 2_000, digests: 501 });
    expect(placesIn(await readAll(), /flood [a-j]|flood@/i)).toEqual([]);
  });

  it("waits for who writes the person at this moment, and takes that too", async () => {
    const john = { name: "John McCarthy", login: "lisp-john", mail: "jmc@stanford.example" };
    const { id } = personKey(john.name, john.mail);
    const job = await holdRequest({ mails: [john.mail], request: "DSR-6" });
    let running: Promise<JsonObject> | undefined;
    await db.transaction(async (tx) => {
      const forgotten = await loadForgotten(tx);
      running = job.run();
      // When it fails instead of waiting, that is the news.
      await Promise.race([until(isSomebodyWaiting, "the request waits for the writer"), running]);
      expect(forgotten.isForgotten(john)).toBe(false);
      await addIdentities(tx, [{ id, name: john.name, email: john.mail, kind: "human" }]);
      await addClaims(tx, "late", id, [john.mail], john.name);
    });
    expect(await running).toMatchObject({ identities: 1, claims: 2 });
    expect(placesIn(await readAll(), tracesOf(john, [id]))).toEqual([]);
    expect((await loadForgotten(db)).isForgotten(john)).toBe(true);
  });

  it("takes no address that many people write for one person's", async () => {
    const job = await holdRequest({ mails: ["root@localhost"], request: "DSR-7" });
    await expect(job.run()).rejects.toMatchObject({ kind: "data", code: "FORGET_MAIL_SHARED" });
    const noLogin = await holdRequest({ logins: ["@"], request: "DSR-7" });
    await expect(noLogin.run()).rejects.toMatchObject({ code: "FORGET_LOGIN_INVALID" });
    const unknown = await holdRequest({
      identity_ids: ["person-0000000000000000"],
      request: "DSR-7",
    });
    await expect(unknown.run()).rejects.toMatchObject({ kind: "data", code: "PERSON_UNKNOWN" });
  });
});

async function isSomebodyWaiting(): Promise<boolean> {
  const { rows } = await db.query(
    "SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()",
  );
  return rows.length > 0;
}

/** Tables with texts that name nobody whose histories we read, each with the reason. */
const NOT_WALKED: Readonly<Record<string, string>> = {
  "public.identities": "folded: store/person-rows",
  "public.claims": "folded: store/person-rows",
  "control.identity_hint": "deleted: store/person-rows",
  "control.forgotten": "digests",
  "public.audit_log": "a chain: what it holds leaves by retention alone",
  "public.repos": "repositories, not people",
  "public.scores": "numbers of a repository",
  "public.workers": "our own processes",
  "public.migrations": "our own",
};
const OF_REPOSITORIES = /^control\.(repo_|github_)/;
const OF_THE_RUNTIME =
  /^control\.(migration|lease|queue_pause|safe_mode|schedule_run|late_settle|capacity|rate_bucket|unique_hold|dependency|job_tally|job_arrival|sign_of_life|alert_clock|stop_switch|target_lock|run_process|run_follower|journal_entry|automation_breaker|audit_anchor|revoked_token|maintenance_report|gc_preview|export_run|export_part|backfill)$/;
const OF_WHO_OPERATES =
  /^control\.(policy_|config_change|protection|approval|promotion|incident_role|silence|temporary_change)/;
const OF_SAMPLES =
  /^control\.(series|sample|alert_state|alert_event|alert_group|receiver_lane|digest_entry)/;

describe("the list of texts", () => {
  it("passes over no table without a reason", async () => {
    const { rows } = await db.query<{ table: string }>(
      `SELECT DISTINCT table_schema || '.' || table_name AS table FROM information_schema.columns c
       JOIN information_schema.tables USING (table_schema, table_name)
       WHERE table_schema IN ('public', 'control') AND table_type = 'BASE TABLE' AND c.data_type IN ('text', 'jsonb', 'ARRAY')
       ORDER BY 1`,
    );
    const walked = new Set(PERSON_TEXTS.map(({ table }) => table));
    const open = rows
      .map(({ table }) => table)
      .filter((table) => !walked.has(table) && NOT_WALKED[table] === undefined)
      .filter(
        (table) =>
          ![OF_REPOSITORIES, OF_THE_RUNTIME, OF_WHO_OPERATES, OF_SAMPLES].some((of) =>
            of.test(table),
          ),
      );
    expect(open, "may these name a person? then list them in src/store/person-texts.ts").toEqual(
      [],
    );
  });
});
