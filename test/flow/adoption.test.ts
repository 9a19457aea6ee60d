/**
 * A number changes in a running service, with the real program and its worker processes: published, adopted by every
 * process, used by the next gc, taken back; and something poisoned changes nothing but wakes somebody.
 */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { Envelope } from "../../src/policy/envelope-types.js";
import { listActiveAlerts } from "../../src/store/alerts.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { edited, shippedSections } from "../fixture/policy/sections.js";
import { type LiveRuntime, startLiveRuntime } from "../support/live-runtime.js";
import { makeKey, signBundle, type TestBundle } from "../support/sign-bundle.js";
import { until } from "../support/until.js";

/** All who must know do within this time (the bar of the issue). */
const ADOPTED_WITHIN_MS = 10_000;
/** The api with the orchestrator, two general workers, the internal one. */
const PROCESSES = 4;

const key = makeKey();
let folder: string;
let live: LiveRuntime;

/** As shipped, but quiet: no schedule changes rows meanwhile, and the alert looks each second. */
const QUIET = edited(shippedSections(), {
  schedules: {},
  "alerts/policy-adoption-failing/every": "1s",
  "alerts/policy-adoption-failing/group": { wait: "0s" },
});
const keepingEvents = (days: number) => edited(QUIET, { "retention/events_retention_days": days });

async function put(envelope: Envelope): Promise<void> {
  const draft = join(folder, "draft");
  await writeFile(draft, JSON.stringify(envelope));
  await rename(draft, join(folder, "current.json"));
}

const publish = (given: TestBundle) => put(signBundle(key, given));

interface PolicyHealth {
  readonly adopted: number;
  readonly processes: { readonly on_it: number; readonly behind: number };
}

async function policyHealth(): Promise<PolicyHealth> {
  const reply = await live.ask(null, "/health");
  return ((await reply.json()) as { policy: PolicyHealth }).policy;
}

/** Milliseconds from now until every process works with the revision. */
async function adoptedByAll(revision: number): Promise<number> {
  const from = systemClock.now().getTime();
  await until(async () => {
    const { adopted, processes } = await policyHealth();
    return adopted === revision && processes.on_it === PROCESSES && processes.behind === 0;
  }, `all ${PROCESSES} processes work with revision ${revision}`);
  return systemClock.now().getTime() - from;
}

/** An event of 40 days ago; answers whether it is still there after a gc. */
async function survivesGc(): Promise<boolean> {
  const { rows } = await live.db.query<{ id: number }>(
    "INSERT INTO events (event_type, created_at) VALUES ('push', now() - interval '40 days') RETURNING id",
  );
  const { seq } = await enqueueJob(live.db, { kind: "gc", payload: {} });
  await until(async () => (await readJob(live.db, seq))?.status === "completed", "gc is done");
  const left = await live.db.query("SELECT FROM events WHERE id = $1", [rows[0]!.id]);
  return left.rowCount === 1;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-bundles-"));
  await publish({ sections: keepingEvents(90), revision: 1 });
  const env = { POLICY_SOURCE: folder, POLICY_PUBLIC_KEY: key.publicKey.raw };
  live = await startLiveRuntime({ asPublished: true, samplesEveryMs: 1_000, env });
});
afterAll(async () => {
  await live?.close();
  await rm(folder, { recursive: true, force: true });
});

test("the first start takes the bundle that lies there", async () => {
  await adoptedByAll(1);
  expect(await survivesGc()).toBe(true);
});

test("a published number is in every process within ten seconds, and gc works with it", async () => {
  await publish({ sections: keepingEvents(30), revision: 2, previewed: { events: 1 } });
  expect(await adoptedByAll(2)).toBeLessThan(ADOPTED_WITHIN_MS);
  expect(await survivesGc()).toBe(false);
});

test("the revert brings the old number back", async () => {
  await publish({ sections: keepingEvents(90), revision: 3 });
  expect(await adoptedByAll(3)).toBeLessThan(ADOPTED_WITHIN_MS);
  expect(await survivesGc()).toBe(true);
});

test("a poisoned one is refused, the old one stays, and somebody is woken", async () => {
  const signed = signBundle(key, { sections: QUIET, revision: 4 });
  await put({ ...signed, bundle: { ...signed.bundle, sections: keepingEvents(1) } });
  const firing = async () =>
    (await listActiveAlerts(live.db)).some(
      ({ level, phase }) => level === "AR-108" && phase === "firing",
    );
  await until(firing, "AR-108 fires");
  await until(
    () =>
      live.pagerduty.incidents().some(({ incidentKey }) => incidentKey.includes("policy-adoption")),
    "PagerDuty knows",
  );
  expect(await policyHealth()).toMatchObject({ adopted: 3, processes: { on_it: PROCESSES } });
  expect(await survivesGc()).toBe(true);

  await publish({ sections: keepingEvents(90), revision: 4 });
  await adoptedByAll(4);
  await until(async () => !(await firing()), "AR-108 is over");
});
