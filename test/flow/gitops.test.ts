/**
 * A number changes in a running service by way of Git, with the real program, its worker processes and its command line;
 * only GitHub is a stand-in: asked for, merged, published, adopted by every process, used by the next gc, and taken
 * back by a revert. Something poisoned changes nothing and wakes somebody; what needs a newer image waits; and an
 * emergency setting goes before all of it for a while.
 */
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { systemClock } from "../../src/base/clock.js";
import type { Envelope } from "../../src/policy/envelope-types.js";
import { listActiveAlerts } from "../../src/store/alerts.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { bin } from "../cli/support.js";
import { type LiveRuntime, startLiveRuntime } from "../support/live-runtime.js";
import { readPolicyFiles } from "../support/policy-files.js";
import { makeKey, signBundle } from "../support/sign-bundle.js";
import { until } from "../support/until.js";

/** All who must know do within this time (the bar of the issue). */
const ADOPTED_WITHIN_MS = 10_000;
/** The api with the orchestrator, two general workers, the internal one, the executor. */
const PROCESSES = 5;
const REPOSITORY = { repository: "acme/policies", token: "ghp_flow" };

const key = makeKey();
let folder: string;
let github: StandInGitHub;
let live: LiveRuntime;

/** As shipped, but quiet: no schedule changes rows meanwhile, and the alert looks each second. */
function quietFiles(): Record<string, string> {
  const files = readPolicyFiles();
  const monitoring = "policies/algobrain/alerts/monitoring.yaml";
  const quick = files[monitoring]!.replace(
    /^policy-adoption-failing:.*$/m,
    "$&\n  every: 1s\n  group: { wait: 0s }",
  );
  return { ...files, [monitoring]: quick, "policies/algobrain/schedules.yaml": "{}\n" };
}

/** What the workflow does on main: check out, and publish by the command line. Answers with the revision. */
async function publishMain(previewed: Readonly<Record<string, number>> = {}): Promise<number> {
  const checkout = await mkdtemp(join(folder, "checkout-"));
  for (const [path, text] of Object.entries(github.commits.read("main"))) {
    await mkdir(dirname(join(checkout, path)), { recursive: true });
    await writeFile(join(checkout, path), text);
  }
  const preview = join(checkout, "previewed.json");
  await writeFile(preview, JSON.stringify(previewed));
  const where = ["--dir", join(checkout, "policies"), "--to", join(folder, "bundles")];
  const commit = ["--commit", github.commits.branch("main")!, "--previewed", preview];
  const args = ["policy", "publish", "--env", "local", ...where, ...commit, "--json"];
  const pem = key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const env = { POLICY_SIGNING_KEY: pem, ALGOBRAIN_HOME: join(folder, "home") };
  const { out, err } = await bin(args, { env });
  expect(err).toBe("");
  return (JSON.parse(out) as { revision: number }).revision;
}

interface PolicyHealth {
  readonly adopted: number;
  readonly waiting: number | null;
  readonly commit: string;
  readonly processes: { readonly on_it: number; readonly behind: number };
}

interface Health {
  readonly policy: PolicyHealth;
  readonly drift: readonly object[];
}

const health = async () => (await (await live.ask(null, "/health")).json()) as Health;
const policyHealth = async () => (await health()).policy;
const drift = async () => (await health()).drift;

/** Milliseconds from its publication until every process works with the revision. */
async function adoptedByAll(revision: number): Promise<number> {
  const { mtimeMs } = await stat(join(folder, "bundles", "current.json"));
  await until(async () => {
    const { adopted, processes } = await policyHealth();
    return adopted === revision && processes.on_it === PROCESSES && processes.behind === 0;
  }, `all ${PROCESSES} processes work with revision ${revision}`);
  return systemClock.now().getTime() - mtimeMs;
}

/** An event of so many days ago; answers whether it is still there after a gc. */
async function survivesGc(days = 40): Promise<boolean> {
  const { rows } = await live.db.query<{ id: number }>(
    "INSERT INTO events (event_type, created_at) VALUES ('push', now() - $1 * interval '1 day') RETURNING id",
    [days],
  );
  const { seq } = await enqueueJob(live.db, { kind: "gc", payload: {} });
  await until(async () => (await readJob(live.db, seq))?.status === "completed", "gc is done");
  const left = await live.db.query("SELECT FROM events WHERE id = $1", [rows[0]!.id]);
  return left.rowCount === 1;
}

async function send(method: string, path: string, body: object) {
  const headers = { "content-type": "application/json" };
  const reply = await live.ask("admin", path, { method, headers, body: JSON.stringify(body) });
  return [reply.status, await reply.json()];
}

const ask = (events_retention_days: number) =>
  send("PATCH", "/api/v1/config/gc", { events_retention_days });

const pending = async () =>
  ((await (await live.ask("viewer", "/api/v1/config/gc")).json()) as { pending: unknown }).pending;

const current = () => join(folder, "bundles", "current.json");
const published = async () => JSON.parse(await readFile(current(), "utf8")) as Envelope;

/** Where the runtime looks, whole or not at all. */
async function lay(envelope: Envelope): Promise<void> {
  await writeFile(join(folder, "draft"), JSON.stringify(envelope));
  await rename(join(folder, "draft"), current());
}

/** Lines of main that the branch has otherwise, with their files. */
function changedLines(branch: string): string[] {
  const main = github.commits.read("main");
  return Object.entries(github.commits.read(branch)).flatMap(([path, text]) => {
    const before = (main[path] ?? "").split("\n");
    const after = text.split("\n");
    expect(after, path).toHaveLength(before.length);
    return after.filter((line, at) => line !== before[at]).map((line) => `${path}: ${line}`);
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-gitops-"));
  await mkdir(join(folder, "bundles"));
  github = await startStandInGitHub({ ...REPOSITORY, files: quietFiles() });
  await publishMain();
  const env = {
    ...{ POLICY_SOURCE: join(folder, "bundles"), POLICY_PUBLIC_KEY: key.publicKey.raw },
    ...{ GITOPS_REPO: REPOSITORY.repository, GITHUB_TOKEN: REPOSITORY.token },
    GITHUB_API_URL: github.url,
  };
  live = await startLiveRuntime({ asPublished: true, samplesEveryMs: 1_000, env });
  github.subscribe({ url: `${live.url()}/webhooks/github`, secret: live.secrets.github });
});
afterAll(async () => {
  await live?.close();
  await github?.close();
  await rm(folder, { recursive: true, force: true });
});

test("a number that is asked for is a pull request with one changed line, and nothing else yet", async () => {
  await adoptedByAll(1);
  expect(await ask(30)).toMatchObject([
    202,
    {
      ...{ pull_request: { number: 1 }, created: true, risk: "irreversible" },
      diff: [
        {
          ...{ file: "policies/algobrain/retention.yaml", before: "events_retention_days: 90" },
          after: "events_retention_days: 30",
        },
      ],
    },
  ]);
  expect(await ask(30)).toMatchObject([202, { pull_request: { number: 1 }, created: false }]);
  expect(changedLines(github.pulls.get(1)!.head)).toEqual([
    "policies/algobrain/retention.yaml: events_retention_days: 30",
  ]);
  expect(await pending()).toMatchObject({ pull_request: { number: 1 } });
  expect(await survivesGc()).toBe(true);
});

test("merged and published it is in every process within ten seconds, and gc works with it", async () => {
  const merged = github.pulls.merge(1);
  expect(await publishMain({ events: 10 })).toBe(2);
  expect(await adoptedByAll(2)).toBeLessThan(ADOPTED_WITHIN_MS);
  expect((await policyHealth()).commit).toBe(merged);
  expect(await survivesGc()).toBe(false);
  await github.settled();
  expect(await pending()).toBeNull();
});

test("the revert brings the old number back", async () => {
  github.pulls.revert(1);
  expect(await publishMain()).toBe(3);
  expect(await adoptedByAll(3)).toBeLessThan(ADOPTED_WITHIN_MS);
  expect(await survivesGc()).toBe(true);
});

test("a poisoned bundle is refused, the old one stays, and somebody is woken", async () => {
  const good = await published();
  const { retention } = good.bundle.sections as { retention: object };
  const sections = {
    ...good.bundle.sections,
    retention: { ...retention, events_retention_days: 1 },
  };
  await lay({ ...good, revision: 4, bundle: { ...good.bundle, sections } });
  const firing = async () =>
    (await listActiveAlerts(live.db)).some(
      ({ level, phase }) => level === "AR-108" && phase === "firing",
    );
  await until(firing, "AR-108 fires");
  const pages = () => live.pagerduty.incidents().map(({ incidentKey }) => incidentKey);
  await until(() => pages().some((one) => one.includes("policy-adoption")), "PagerDuty knows");
  expect(await policyHealth()).toMatchObject({ adopted: 3, processes: { on_it: PROCESSES } });
  const state = await (await live.ask("viewer", "/api/v1/policy")).json();
  expect(state).toMatchObject({ refused: [{ refusal: "signature-invalid", revision: 4 }] });
  expect(await survivesGc()).toBe(true);

  await lay(good);
  await until(async () => !(await firing()), "AR-108 is over");
});

test("a bundle that needs a newer image waits with its reason, and the old one stays", async () => {
  const { sections } = (await published()).bundle;
  await lay(signBundle(key, { sections, revision: 4, schema: 99 }));
  await until(async () => (await policyHealth()).waiting === 4, "revision 4 waits");
  expect(await policyHealth()).toMatchObject({ adopted: 3, processes: { on_it: PROCESSES } });
  const reply = await live.ask("viewer", "/api/v1/policy/bundles/4");
  expect(await reply.json()).toMatchObject({
    status: "waiting",
    reason: expect.stringContaining("schema 99"),
  });
});

test("an emergency setting holds at once, is drift, asks for its pull request, and ends by itself", async () => {
  expect(await survivesGc(100)).toBe(false);
  const path = "retention.events_retention_days";
  const wanted = { path, value: 120, reason: "an inquiry needs them", owner: "ann", for: "1h" };
  const from = systemClock.now().getTime();
  const url = "https://github.com/acme/policies/pull/2";
  const begun = await send("POST", "/api/v1/policy/overrides", wanted);
  expect(begun).toMatchObject([201, { override: { was: 90, value: 120 }, pull_request: url }]);
  await until(() => survivesGc(100), "gc keeps what is younger than 120 days");
  await until(async () => (await drift()).length > 0, "the process that answers follows it too");
  expect(systemClock.now().getTime() - from).toBeLessThan(ADOPTED_WITHIN_MS);
  expect(await drift()).toMatchObject([
    { name: path, policyValue: 90, value: 120, override: { owner: "ann" } },
  ]);

  await live.db.query(
    "UPDATE control.policy_override SET created_at = created_at - interval '2 h', expires_at = expires_at - interval '2 h'",
  );
  await until(async () => !(await survivesGc(100)), "gc works with the policy again");
  await until(async () => (await drift()).length === 0, "nothing differs from the policy");
});
