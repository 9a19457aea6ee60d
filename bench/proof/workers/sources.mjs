// Proves on this machine what indexing a large organisation costs over the wire, what it costs when nothing has
// changed, and how fast webhook deliveries become events. GitHub is a stand-in on this machine, so the pace
// that we keep towards it is not in the figures; what the stand-in takes for its pages is.
//
//   npm run build && node bench/proof/workers/sources.mjs            2,000 repositories, 5,000 deliveries
//
// Ends with 1 when a bar is not met. Bars: ten times the targets of workers.yaml, and memory.
import { parseArgs } from "node:util";
import { createGitHubSource } from "../../../dist/src/adapter/github-source.js";
import { createMemoryCache } from "../../../dist/src/adapter/memory-cache.js";
import { startStandInOrg } from "../../../dist/src/adapter/stand-in/github-org.js";
import { systemClock } from "../../../dist/src/base/clock.js";
import { silentLogger } from "../../../dist/src/base/log.js";
import { CACHE_DEFAULTS, WORKLOAD_DEFAULTS } from "../../../dist/src/policy/defaults.js";
import { createIndexHandler } from "../../../dist/src/workload/handler/index-repos.js";
import { createIngestHandler } from "../../../dist/src/workload/handler/ingest-delivery.js";
import { createSyncHandler } from "../../../dist/src/workload/handler/sync-repos.js";
import { wholeNumber } from "../product.mjs";
import { withScene } from "../scene.mjs";

/** A minute, ten times HB-wrk-02, -05 and -06. */
const BARS = { index: 100, ingest: 1_000, sync: 200 };
const MEGABYTES_MAX = 300;
const SLOTS = 20;
const SYNCED = 1_000;

const { values } = parseArgs({
  options: {
    repos: { type: "string", default: "2000" },
    deliveries: { type: "string", default: "5000" },
    keep: { type: "boolean", default: false },
  },
});
const [REPOS, DELIVERIES] = [wholeNumber(values.repos), wholeNumber(values.deliveries)];

let seq = 0;
function run(handler, payload) {
  seq++;
  return handler.run({
    job: { seq, id: `job-${seq}`, payload, createdAt: new Date() },
    ...{ signal: new AbortController().signal, log: silentLogger, now: () => new Date() },
    ...{ progress: () => {}, compensateWith: async () => {} },
  });
}

async function inSlots(items, work) {
  const open = items.values();
  const slot = async () => {
    for (const item of open) await work(item);
  };
  await Promise.all(Array.from({ length: SLOTS }, slot));
}

const met = [];
/** `count` things are done by `work`; the bar is a number of them a minute. */
async function measure(name, { count, bar, isRight }, work) {
  const startedMs = performance.now();
  const result = await work();
  const s = (performance.now() - startedMs) / 1_000;
  const perMinute = Math.round((count / s) * 60);
  const mb = process.memoryUsage().rss / 1_048_576;
  const isMet = perMinute >= bar && mb < MEGABYTES_MAX && isRight(result);
  met.push(isMet);
  console.log(
    `${isMet ? "ok  " : "FAIL"} ${name.padEnd(34)} ${s.toFixed(2)} s, ${perMinute} a minute (bar ${bar}), ` +
      `${mb.toFixed(0)} MB (bar ${MEGABYTES_MAX})  ${JSON.stringify(result) ?? ""}`,
  );
}

async function main({ db }) {
  const token = "ghp_stand-in";
  const github = await startStandInOrg({ org: "acme", token });
  for (let nth = 0; nth < REPOS; nth++) github.add({ name: `repo-${nth}` });
  const source = createGitHubSource({
    ...{ auth: { kind: "token", token }, apiUrl: github.url },
    gate: { take: async () => async () => {} },
  });
  const deps = {
    ...{ db, source, clones: null, git: null, cache: createMemoryCache(systemClock) },
    ...{ policy: () => WORKLOAD_DEFAULTS, lifetimes: () => CACHE_DEFAULTS },
  };
  const index = createIndexHandler(deps);
  const acme = { org_id: "1", org_name: "acme" };
  const all = { count: REPOS, bar: BARS.index };
  await measure(
    `index of ${REPOS} repositories`,
    { ...all, isRight: ({ added, jobs_enqueued: jobs }) => added === REPOS && jobs === 2 * REPOS },
    () => run(index, acme),
  );
  await measure(
    "index again, nothing changed",
    { ...all, isRight: ({ pages, pages_unchanged: same }) => pages === same },
    () => run(index, acme),
  );
  await measureSync(deps, createSyncHandler(deps));
  await measureIngest(deps, createIngestHandler(deps), github.url);
  await github.close();
  process.exitCode = met.every(Boolean) ? 0 : 1;
}

async function measureSync({ db }, sync) {
  const { rows } = await db.query("SELECT repo_id FROM control.repo_source ORDER BY 1 LIMIT $1", [
    SYNCED,
  ]);
  await measure(
    `sync of ${rows.length} repositories, one by one`,
    { count: rows.length, bar: BARS.sync, isRight: () => true },
    () => inSlots(rows, ({ repo_id }) => run(sync, { repo_id })),
  );
}

async function measureIngest({ db }, ingest, url) {
  const { rows } = await db.query(
    `INSERT INTO control.inbound (source, delivery_id, event_type, body)
     SELECT 'github', 'delivery-' || n, 'push', jsonb_build_object('ref', 'refs/heads/main',
       'repository', jsonb_build_object('id', 1001 + n % 500, 'default_branch', 'main',
         'clone_url', $2::text || '/acme/repo-' || n % 500 || '.git'))
     FROM generate_series(1, $1) AS n RETURNING delivery_id`,
    [DELIVERIES, url],
  );
  await measure(
    `ingest of ${DELIVERIES} pushes`,
    { count: DELIVERIES, bar: BARS.ingest, isRight: () => true },
    () => inSlots(rows, ({ delivery_id }) => run(ingest, { delivery_id })),
  );
  const events = await db.query("SELECT count(*)::int AS count FROM events");
  const syncs = await db.query(
    "SELECT count(*)::int AS count FROM jobs WHERE job_type = 'sync' AND status = 'pending'",
  );
  const [kept, asked] = [events.rows[0].count, syncs.rows[0].count];
  const isMet = kept === DELIVERIES && asked === Math.min(500, DELIVERIES);
  met.push(isMet);
  console.log(
    `${isMet ? "ok  " : "FAIL"} each an event, a sync a repository  ${kept} events, ${asked} jobs`,
  );
}

await withScene(values.keep, main);
