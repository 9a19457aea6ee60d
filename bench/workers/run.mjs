// How much each of the twelve kinds of workers does in a minute, through the whole product with its two general
// worker processes, against ten times the targets of workers.yaml (requirements 1.7).
//
//   npm run bench:workers                     about three minutes
//   npm run bench:workers -- --only gc,score  some kinds
//
// Prints one line a kind and ends with 1 when one is below its bar. GitHub is not in it: bench/proof/workers/sources.mjs.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { count, serveProduct, withProduct } from "../proof/product.mjs";
import {
  addDeliveries,
  addEvents,
  addPeople,
  enqueue,
  makeRepositories,
  ofRepos,
  policyOf,
  startReceiver,
  troubles,
  untilQuiet,
} from "./scene.mjs";

const file = fileURLToPath(import.meta.url);
const MAX_MS = 300_000;
const REPOS = 100;
const COMMITS = 200;
/** A minute: what workers.yaml asks for, times ten. */
const FACTOR = 10;

/** In the order in which each finds what the one before left. `units`: what is counted, by default jobs. */
const KINDS = [
  {
    ...{ kind: "index", target: 10, unit: "repositories" },
    prepare: async ({ home }) => [{ path: join(home, "folder") }],
    units: ({ db }) => count(db, "repos"),
  },
  {
    kind: "identity",
    target: 5,
    prepare: ({ db }) => ofRepos(db, (repo_id) => ({ repo_id, full: true })),
  },
  { kind: "score", target: 10, prepare: ({ db }) => ofRepos(db, (repo_id) => ({ repo_id })) },
  { kind: "sync", target: 20, prepare: ({ db }) => ofRepos(db, (repo_id) => ({ repo_id })) },
  { kind: "ingest", target: 100, prepare: ({ db }) => addDeliveries(db, 3_000) },
  {
    ...{ kind: "backfill", target: 5 },
    prepare: async () =>
      Array.from({ length: 20 }, (_, n) => {
        const day = `2026-06-${String(n + 1).padStart(2, "0")}`;
        return { entity: "scores", start_date: day, end_date: day };
      }),
  },
  {
    ...{ kind: "repair", target: 1 },
    prepare: async ({ db }) => {
      await addPeople(db, { people: 200, orphans: 500 });
      const merges = Array.from({ length: 20 }, (_, n) => ({
        ...{ repair_type: "merge_identities", target_identity_id: `made-${n + 1}` },
        identity_ids: [`made-${n + 101}`],
      }));
      return [...merges, { repair_type: "cleanup_orphaned_claims" }];
    },
  },
  {
    ...{ kind: "gc", target: 1_000, unit: "rows" },
    prepare: async ({ db }) => {
      await addEvents(db, { old: 100_000, young: 20_000 });
      return [{}];
    },
    units: async () => 100_000,
  },
  { kind: "export", target: 2, prepare: async () => twenty({ entity: "events" }) },
  { kind: "audit", target: 10, prepare: async () => Array.from({ length: 40 }, () => ({})) },
  { kind: "maintenance", target: 1, prepare: async () => twenty({ task: "analyze" }) },
  {
    ...{ kind: "alert", target: 10 },
    prepare: async () =>
      Array.from({ length: 200 }, () => ({ text: "a test", receivers: ["bench"] })),
  },
];

const twenty = (payload) => Array.from({ length: 20 }, () => payload);

async function measure(place, { kind, target, unit = "jobs", prepare, units }) {
  const payloads = await prepare(place);
  const began = performance.now();
  await enqueue(place.db, kind, payloads);
  await untilQuiet(place.db, MAX_MS, kind);
  const s = (performance.now() - began) / 1_000;
  // What these jobs asked for belongs to nobody's figure.
  await untilQuiet(place.db, MAX_MS);
  const done = units ? await units(place) : payloads.length;
  const wrong = await troubles(place.db);
  const perMinute = Math.round((done / s) * 60);
  const bar = target * FACTOR;
  const isMet = perMinute >= bar && wrong.length === 0;
  console.log(
    `${isMet ? "ok  " : "FAIL"} ${kind.padEnd(12)} ${String(perMinute).padStart(9)} ${unit} a minute, ` +
      `${(perMinute / target).toFixed(0)} times the target of ${target} (bar ${FACTOR} times); ${done} in ${s.toFixed(1)} s`,
  );
  for (const line of wrong) console.log(`     ${line}`);
  return isMet;
}

async function main() {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const only = values.only?.split(",") ?? KINDS.map(({ kind }) => kind);
  const receiver = await startReceiver();
  const more = { BENCH_RECEIVER: receiver.url, LOG_LEVEL: "warn" };
  const met = await withProduct({ file, keep: false, more }, async (place) => {
    await makeRepositories(join(place.home, "folder"), { count: REPOS, commits: COMMITS });
    const all = [];
    for (const kind of KINDS) if (only.includes(kind.kind)) all.push(await measure(place, kind));
    return all;
  });
  receiver.close();
  process.exitCode = met.every(Boolean) ? 0 : 1;
}

if (process.argv[2] === "serve") await serveProduct(policyOf(process.env.BENCH_RECEIVER));
else await main();
