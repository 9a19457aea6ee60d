// Our runtime as an adapter of the job-runtime benchmark: the engine as worker processes run it, with a kind of
// the benchmark's own. Found by BENCH_ADAPTERS; needs `npm run build` before.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const dist = (file) => import(pathToFileURL(join(root, "dist", "src", file)).href);
if (!existsSync(join(root, "dist", "src", "main.js"))) throw new Error("run `npm run build` first");

const [{ systemClock }, { silentLogger }, { KindRegistry }, { createWorker }] = await Promise.all([
  dist("base/clock.js"),
  dist("base/log.js"),
  dist("job/kinds.js"),
  dist("runtime/worker.js"),
]);
const [{ openDatabase }, { enqueueJob, enqueueJobs }, { migrate }, { readMigrationFiles }] =
  await Promise.all([
    dist("store/database.js"),
    dist("store/jobs.js"),
    dist("store/migrate.js"),
    dist("store/migration-files.js"),
  ]);
const { Type } = await import("typebox");

const KIND = "noop";
const HOUR_MS = 3_600_000;
const BULK_ROWS = 5_000;
/** Under limits of so many jobs at once, of all kinds and of this one; 0 for none. By default the product has 100. */
const CAPS = Number(process.env.BENCH_CAPS ?? 0);
/** Past a pooler in transaction mode: for what needs a session of its own. */
const DIRECT_PORT = process.env.BENCH_PG_DIRECT_PORT;

const CONCURRENCY = { c1: 1, c10: 10, best: 240, "latency-default": 10, "crash-default": 1 };

const policy = (concurrency) => {
  const kind = {
    ...{ kind: KIND, enabled: true, concurrency, priority: 5, timeoutMs: HOUR_MS, attemptsMax: 5 },
    ...{ globalMax: CAPS || null, rateLimit: null },
  };
  const strategies = {
    ...{ transient: "retry", crash: "restart", data: "quarantine" },
    ...{ partial: "rollback", critical: "escalate" },
  };
  const healing = {
    ...{ enabled: true, backoff: { baseMs: 1_000, capMs: 300_000, jitter: 0.1 }, strategies },
    ...{ crashMax: 3, workerDeadAfterMs: 5_000 },
  };
  return { workers: { [KIND]: kind }, healing };
};

const directUrl = (url) => {
  if (DIRECT_PORT === undefined) return url;
  const direct = new URL(url);
  direct.port = DIRECT_PORT;
  return direct.href;
};

const open = (env, poolMax) =>
  openDatabase({ url: env.pgUrl, poolMax, applicationName: "algobrain-bench", ssl: false });

async function withAdmin(env, database, work) {
  const { default: pg } = await import("pg");
  const url = new URL(directUrl(env.pgUrl));
  if (database !== undefined) url.pathname = `/${database}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function reset(env) {
  const name = new URL(env.pgUrl).pathname.slice(1);
  await withAdmin(env, "postgres", async (client) => {
    await client.query(`drop database if exists "${name}" with (force)`);
    await client.query(`create database "${name}"`);
  });
  const db = openDatabase({
    ...{ url: directUrl(env.pgUrl), poolMax: 2, applicationName: "algobrain-bench", ssl: false },
  });
  await migrate(db, await readMigrationFiles());
  await db.close();
}

async function producer(env) {
  const db = open(env, 10);
  const toJob = (payload) => ({ kind: KIND, payload });
  return {
    enqueue: (payload) => enqueueJob(db, toJob(payload)),
    enqueueMany: async (payloads) => {
      for (let i = 0; i < payloads.length; i += BULK_ROWS) {
        await enqueueJobs(db, payloads.slice(i, i + BULK_ROWS).map(toJob));
      }
    },
    close: () => db.close(),
  };
}

async function worker(env, { mode, onJob }) {
  const db = open(env, 10);
  const evidenceDir = await mkdtemp(join(tmpdir(), "algobrain-bench-"));
  const rules = policy(CONCURRENCY[mode]);
  const running = createWorker({
    ...{ db, databaseUrl: directUrl(env.pgUrl), databaseSsl: false, evidenceDir, parentPid: null },
    registry: new KindRegistry([{ kind: KIND, lane: "general", payload: Type.Object({}) }]),
    handlers: [
      {
        kind: KIND,
        run: async ({ job }) => {
          await onJob(job.payload);
        },
      },
    ],
    ...{ policy: () => rules, lane: "general", kinds: null, globalCap: CAPS || null },
    ...{ pollMaxMs: 1_000, drainMs: 10_000, clock: systemClock, log: silentLogger },
    ...{ emit: () => {}, random: Math.random, redact: (text) => text, notify: async () => {} },
    onFatal: (why) => {
      throw new Error(why);
    },
  });
  await running.start();
  return {
    stop: async () => {
      await running.stop();
      await db.close();
      await rm(evidenceDir, { recursive: true, force: true });
    },
  };
}

const pending = (env) =>
  withAdmin(env, undefined, async (client) => {
    const { rows } = await client.query(
      "select count(*)::int n from jobs where status = 'running' or (status = 'pending' and scheduled_at <= now())",
    );
    return rows[0].n;
  });

async function preload(env, { retained, future }) {
  await withAdmin(env, undefined, async (client) => {
    await client.query(
      `insert into jobs (job_type, payload, status, attempts, fence, attempts_total, created_at, started_at, completed_at)
       select $1, '{}', 'completed', 1, 2, 1, now() - interval '1 hour' * random(), now() - interval '20 minutes' * random(),
         now() - interval '10 minutes' * random() from generate_series(1, $2::int)`,
      [KIND, retained],
    );
    await client.query(
      `insert into jobs (job_type, payload, scheduled_at)
       select $1, '{}', now() + interval '1 day' + random() * interval '1 day' from generate_series(1, $2::int)`,
      [KIND, future],
    );
    await client.query("vacuum (analyze)");
    await client.query("checkpoint");
  });
  return { retained, future, note: "completed and future rows in the jobs table" };
}

const limits = CAPS ? `limits: ${CAPS} of all, ${CAPS} of the kind` : "kind uncapped";
const kept = "finished jobs are kept, log level warn";

export default {
  meta: {
    ...{ name: "ours", label: "algobrain", package: "algobrain", node: "20", store: "postgres" },
    database: "bench_ours",
  },
  modes: {
    c1: `concurrency 1, ${limits}, ${kept}; claims ahead by default`,
    c10: `concurrency 10, ${limits}, ${kept}; claims ahead by default`,
    best: `concurrency 240, ${limits}, ${kept}; claims ahead by default`,
    "latency-default": `concurrency 10, ${limits}, LISTEN/NOTIFY as by default`,
  },
  ...{ reset, producer, worker, pending, preload },
  crash: {
    default:
      "lease 5 s, and at once for a process that is gone from the same machine: looked for each second",
  },
};
