// What the twelve kinds of workers find to do: Git repositories, deliveries, people, old rows, and a receiver of
// words. The same names and times each time, so that two runs can be compared row by row.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { enqueueJobs } from "../../dist/src/store/jobs.js";
import { until } from "../proof/product.mjs";

/** Milliseconds since 1970: all history ends here, in the past of whoever runs this. */
const HISTORY_ENDS_MS = Date.parse("2026-06-30T00:00:00Z");
const HOUR_MS = 3_600_000;
const PEOPLE = 40;

/** `count` repositories below `folder`, each of `commits` commits by forty people. Returns their paths. */
export async function makeRepositories(folder, { count, commits, prefix = "repo" }) {
  const paths = Array.from({ length: count }, (_, n) => join(folder, `${prefix}-${n}`));
  for (const [n, path] of paths.entries()) {
    mkdirSync(path, { recursive: true });
    execFileSync("git", ["init", "--quiet", "--initial-branch=main", path]);
    await fastImport(path, historyOf(n, commits));
  }
  return paths;
}

function* historyOf(repo, commits) {
  for (let at = 0; at < commits; at++) {
    const person = (at * 7 + repo) % PEOPLE;
    const seconds = Math.floor((HISTORY_ENDS_MS - (commits - at) * HOUR_MS) / 1_000);
    const who = `Person ${person} <p${person}@example.org> ${seconds} +0000`;
    yield `commit refs/heads/main\nauthor ${who}\ncommitter ${who}\ndata 1\nx\n`;
  }
}

async function fastImport(path, lines) {
  const git = spawn("git", ["-C", path, "fast-import", "--quiet"], {
    stdio: ["pipe", "inherit", "inherit"],
  });
  for (const line of lines) if (!git.stdin.write(line)) await once(git.stdin, "drain");
  git.stdin.end();
  const [code] = await once(git, "exit");
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
}

/** Counts the words that come in: `{ url, keys, close }`. */
export async function startReceiver() {
  const keys = new Set();
  const server = createServer((request, response) => {
    request.resume();
    keys.add(request.headers["idempotency-key"] ?? String(keys.size));
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    keys,
    close: () => server.close(),
  };
}

/** The shipped policy without schedules and alerts of its own, and with one receiver, `bench`. */
export function policyOf(url) {
  const bench = { name: "bench", kind: "webhook", url, perMinuteMax: 10_000 };
  const receiver = { ...bench, triesMax: 3, sendResolved: false };
  return (policy) => ({
    ...policy,
    schedules: [],
    rules: [],
    routes: {
      ...policy.routes,
      receivers: { ...policy.routes.receivers, bench: receiver },
      runtimeReceivers: { critical: ["bench"], operator: ["bench"] },
    },
  });
}

/** Puts jobs in; resolves with their numbers. */
export async function enqueue(db, kind, payloads) {
  const jobs = payloads.map((payload) => ({ kind, payload }));
  return (await enqueueJobs(db, jobs)).map(({ seq }) => seq);
}

/** Until nothing of the public kinds waits or runs, also what those jobs put in; or nothing of one kind. */
export function untilQuiet(db, maxMs, kind = null) {
  const isQuiet = async () => (await openJobs(db, kind)) === 0;
  return until(`no ${kind ?? "job"} waits or runs`, isQuiet, maxMs, 20);
}

async function openJobs(db, kind) {
  const { rows } = await db.query(
    `SELECT count(*)::int AS n FROM jobs WHERE status IN ('pending', 'running')
       AND job_type <> 'notice' AND ($1::text IS NULL OR job_type = $1)`,
    [kind],
  );
  return rows[0].n;
}

/** Those that did not complete, in words; none: all is well. */
export async function troubles(db) {
  const { rows } = await db.query(
    "SELECT id, job_type, status, error FROM jobs WHERE status NOT IN ('completed', 'pending', 'running') ORDER BY seq LIMIT 5",
  );
  return rows.map(({ id, job_type: kind, status, error }) => `${id} ${kind} ${status}: ${error}`);
}

/** Deliveries as the webhook door stores them. */
export async function addDeliveries(db, count) {
  await db.query(
    `INSERT INTO control.inbound (source, delivery_id, event_type, body)
     SELECT 'github', 'delivery-' || n, CASE n % 3 WHEN 0 THEN 'push' WHEN 1 THEN 'issues' ELSE 'star' END,
       jsonb_build_object('action', 'opened', 'ref', 'refs/heads/main', 'repository',
         jsonb_build_object('id', 900000 + n % 50, 'default_branch', 'main', 'clone_url', 'https://github.com/acme/r' || n % 50 || '.git'))
     FROM generate_series(1, $1) AS n`,
    [count],
  );
  return Array.from({ length: count }, (_, n) => ({ delivery_id: `delivery-${n + 1}` }));
}

/** Events of long ago and of now. */
export async function addEvents(db, { old, young }) {
  await db.query(
    `INSERT INTO events (delivery_id, event_type, payload, occurred_at, created_at)
     SELECT 'event-' || n, 'push', jsonb_build_object('n', n, 'text', repeat('x', 200)),
       CASE WHEN n <= $1::int THEN timestamptz '2020-01-01' ELSE timestamptz '2026-06-01' END,
       CASE WHEN n <= $1::int THEN timestamptz '2020-01-01' + n * interval '1 ms' ELSE now() - n * interval '1 ms' END
     FROM generate_series(1, $1::int + $2::int) AS n`,
    [old, young],
  );
}

/** People of no repository, with a claim each; `orphans` claims have none. */
export async function addPeople(db, { people, orphans }) {
  await db.query(
    `INSERT INTO identities (id, name, email) SELECT 'made-' || n, 'Made ' || n, 'made' || n || '@example.org' FROM generate_series(1, $1) AS n`,
    [people],
  );
  await db.query(
    `INSERT INTO claims (identity_id, repo_id, kind, name, email, commit_count)
     SELECT CASE WHEN n <= $1::int THEN 'made-' || n ELSE 'gone-' || n END, 'made', 'author', 'Made ' || n, 'made' || n || '@example.org', n
     FROM generate_series(1, $1::int + $2::int) AS n`,
    [people, orphans],
  );
}

/** A payload for each repository with a copy here. */
export async function ofRepos(db, make) {
  const { rows } = await db.query("SELECT id FROM repos WHERE location IS NOT NULL ORDER BY id");
  return rows.map(({ id }) => make(id));
}
