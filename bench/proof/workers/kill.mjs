// Each of the twelve kinds of workers is killed with -9 in the middle, twice, and run again by the next process: the
// rows and files that it leaves are those of an undisturbed run.
//
//   npm run build && node bench/proof/workers/kill.mjs               about four minutes
//   node bench/proof/workers/kill.mjs --only identity,gc --seed 7    some kinds, other moments
//
// Ends with 1 when a row or a file differs, or when a job does not end. A kind whose job is over too soon to be hit is
// said to be so, with the kills that did hit.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { systemClock } from "../../../dist/src/base/clock.js";
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
} from "../../workers/scene.mjs";
import { serveProduct, untilAlive, wholeNumber, withPlace } from "../product.mjs";
import { kill } from "../scene.mjs";

const file = fileURLToPath(import.meta.url);
const KILLS = 2;
const LOOK_MS = 3;
const MAX_MS = 240_000;
/** Two general, one internal, one executor. */
const WORKERS = 4;

/** `prepare` lays what the kind finds and gives its payloads; the same in both runs. */
const KINDS = {
  index: { prepare: async ({ folder }) => [{ path: folder }] },
  identity: { prepare: ({ db }) => ofRepos(db, (repo_id) => ({ repo_id, full: true })) },
  score: { prepare: ({ db }) => ofRepos(db, (repo_id) => ({ repo_id, as_of: "2026-06-30" })) },
  sync: { prepare: async () => [{}] },
  ingest: { prepare: ({ db }) => addDeliveries(db, 300) },
  backfill: {
    prepare: async () => [{ entity: "scores", start_date: "2026-06-01", end_date: "2026-06-20" }],
  },
  repair: {
    prepare: async ({ db }) => {
      await addPeople(db, { people: 800, orphans: 20_000 });
      const ids = Array.from({ length: 700 }, (_, n) => `made-${n + 2}`);
      return [
        { repair_type: "merge_identities", target_identity_id: "made-1", identity_ids: ids },
        { repair_type: "cleanup_orphaned_claims" },
        { repair_type: "rebuild_indexes" },
      ];
    },
  },
  gc: {
    prepare: async ({ db }) => {
      await addEvents(db, { old: 60_000, young: 20_000 });
      return [{}];
    },
  },
  export: {
    prepare: async () => [{ entity: "events", format: "csv" }, { entity: "scores" }],
  },
  audit: { prepare: async () => [{}, {}, {}] },
  maintenance: {
    prepare: async () => [{ task: "vacuum" }, { task: "report" }, { task: "partitions" }],
  },
  alert: {
    prepare: async () =>
      Array.from({ length: 20 }, () => ({ text: "a test", receivers: ["bench"] })),
  },
};

/** What the kinds leave, without what tells only when, and by which job. */
const TABLES = {
  repos: "id, name, org, location, root, archived, archived_as, default_branch, head_commit",
  identities: "id, name, email, kind, merged_into",
  claims: "identity_id, repo_id, kind, name, email, commit_count, first_seen_at, last_seen_at",
  scores: "repo_id, score, formula, commit, parts - 'eventsUpTo' AS parts",
  events: "delivery_id, event_type, repo_id, payload",
  "control.repo_history": "repo_id, head, mailmap, rules, commits, claims_sum",
  "control.identity_merge": "identity_id, target_id, reason, undone_at IS NULL AS stands",
  "control.audit_finding": "invariant, count, resolved_at IS NULL AS open",
};

async function dump(db) {
  const all = {};
  for (const [table, columns] of Object.entries(TABLES)) {
    const { rows } = await db.query(
      `SELECT to_jsonb(r)::text AS row FROM (SELECT ${columns} FROM ${table}) AS r ORDER BY 1`,
    );
    all[table] = rows.map(({ row }) => row);
  }
  return all;
}

/** Of each finished export its rows' digest, without what tells only when a row was written, and its number. */
async function dumpExports(home) {
  const names = await readdir(join(home, "exports")).catch(() => []);
  const whole = names.filter((name) => name.endsWith(".gz"));
  return whole
    .map((name) => {
      const text = gunzipSync(readFileSync(join(home, "exports", name))).toString("utf8");
      const rows = text.split("\n").filter(Boolean).map(withoutTimes).sort();
      const sha256 = createHash("sha256").update(rows.join("\n")).digest("hex");
      return `${name.replace(/[^a-z].*\.(csv|ndjson)\.gz$/, " $1")}, ${rows.length} rows, ${sha256.slice(0, 16)}`;
    })
    .sort();
}

function withoutTimes(line) {
  const timeless = line.replaceAll(
    /\d{4}-\d\d-\d\d[T ]\d\d:[\d:.]+(?:Z|[+-]\d\d(?::?\d\d)?)?/g,
    "T",
  );
  return timeless
    .replace(/^\d+,/, "")
    .replace(/"id": ?"?\d+"?,?/, "")
    .replace(/"eventsUpTo": ?\d+,?/, "");
}

async function runAll({ only, kills, folder, receiver }) {
  return withPlace(false, async ({ home, db, start }) => {
    start(file, "orchestrator", { BENCH_RECEIVER: receiver.url, LOG_LEVEL: "warn" });
    const worker = start(file, "worker", { BENCH_RECEIVER: receiver.url, LOG_LEVEL: "warn" });
    void once(worker, "exit");
    await untilAlive(db, WORKERS - 1);
    const left = {};
    for (const kind of only) {
      const payloads = await KINDS[kind].prepare({ db, home, folder });
      const seqs = await enqueue(db, kind, payloads);
      const hits = kills === null ? 0 : await killInTheMiddle(db, seqs, kills);
      await untilQuiet(db, MAX_MS);
      left[kind] = { hits, wrong: await troubles(db), rows: await dump(db) };
    }
    return { left, exports: await dumpExports(home) };
  });
}

/** Kills whoever runs one of these jobs, each time after a while of its running. How often it hit. */
async function killInTheMiddle(db, seqs, random) {
  let hits = 0;
  const killed = new Set();
  while (hits < KILLS) {
    const { rows } = await db.query(
      `SELECT w.pid, j.seq, j.fence FROM jobs j JOIN workers w ON w.id = j.worker_id
       WHERE j.seq = ANY ($1) AND j.status = 'running'`,
      [seqs],
    );
    const target = rows.find(({ pid }) => !killed.has(pid));
    if (target) {
      await systemClock.sleep(random() * 120);
      const { rows: still } = await db.query(
        "SELECT 1 FROM jobs WHERE seq = $1 AND fence = $2 AND status = 'running'",
        [target.seq, target.fence],
      );
      if (still.length > 0) {
        kill(target.pid, "SIGKILL");
        killed.add(target.pid);
        hits++;
      }
    } else if ((await openOf(db, seqs)) === 0) return hits;
    await systemClock.sleep(LOOK_MS);
  }
  return hits;
}

async function openOf(db, seqs) {
  const { rows } = await db.query(
    "SELECT count(*)::int AS n FROM jobs WHERE seq = ANY ($1) AND status IN ('pending', 'running')",
    [seqs],
  );
  return rows[0].n;
}

/** Mulberry32: the same moments for the same seed. */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function differences(calm, killed) {
  return Object.keys(TABLES).flatMap((table) => {
    const [left, right] = [new Set(calm[table]), new Set(killed[table])];
    const lost = calm[table].filter((row) => !right.has(row));
    const added = killed[table].filter((row) => !left.has(row));
    const many = calm[table].length !== killed[table].length;
    if (lost.length === 0 && added.length === 0 && !many) return [];
    return [
      `${table}: ${calm[table].length} and ${killed[table].length} rows, lost ${lost.length}, added ${added.length}: ${(lost[0] ?? added[0] ?? "").slice(0, 300)}`,
    ];
  });
}

async function main() {
  const { values } = parseArgs({
    options: { only: { type: "string" }, seed: { type: "string", default: "1" } },
  });
  const only = values.only?.split(",") ?? Object.keys(KINDS);
  const folder = await mkdtemp(join(tmpdir(), "algobrain-kill-"));
  const receiver = await startReceiver();
  await makeRepositories(folder, { count: 6, commits: 4_000 });
  const shared = { only, folder, receiver };
  const calm = await runAll({ ...shared, kills: null });
  const killed = await runAll({ ...shared, kills: randomOf(wholeNumber(values.seed)) });
  let isMet = true;
  for (const kind of only) {
    const [a, b] = [calm.left[kind], killed.left[kind]];
    const found = [...a.wrong, ...b.wrong, ...differences(a.rows, b.rows)];
    if (found.length > 0) isMet = false;
    console.log(
      `${found.length === 0 ? "ok  " : "FAIL"} ${kind.padEnd(12)} killed ${b.hits} times: the same rows`,
    );
    for (const line of found) console.log(`     ${line}`);
  }
  if (only.includes("export")) {
    const isSame = JSON.stringify(calm.exports) === JSON.stringify(killed.exports);
    isMet &&= isSame && calm.exports.length > 0;
    console.log(`${isSame ? "ok  " : "FAIL"} ${calm.exports.length} exports hold the same rows`);
    if (!isSame) console.log([...calm.exports, "killed:", ...killed.exports].join("\n"));
  }
  receiver.close();
  await rm(folder, { recursive: true, force: true });
  process.exitCode = isMet ? 0 : 1;
}

if (process.argv[2] === "serve") await serveProduct(policyOf(process.env.BENCH_RECEIVER));
else await main();
