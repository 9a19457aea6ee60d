// The physical limit: claim and complete in raw SQL, history kept, no handler, no runtime around it.
//   bare        a table with what such a statement needs, key by text, and key by number
//   conforming  public.jobs as our migrations make it: every column, generated id, index and trigger
// Printed alone by `npm run bench:queue -- --rawlimit`; the conforming limit is what our drain is held against.
import pg from "pg";
import { openDatabase } from "../../dist/src/store/database.js";
import { migrate } from "../../dist/src/store/migrate.js";
import { readMigrationFiles } from "../../dist/src/store/migration-files.js";
import { digits, median } from "./measure.mjs";

const HOST = "127.0.0.1";
const USER = "bench";
const DATABASE = "bench_rawlimit";
const SHAPES = [1, 2].flatMap((loops) => [100, 500, 1000].map((batch) => ({ loops, batch })));

const STATUSES = "'pending','running','completed','failed','quarantined','cancelled'";
const BARE_COLUMNS = `job_type text NOT NULL, payload jsonb NOT NULL DEFAULT '{}',
  status text NOT NULL DEFAULT 'pending' CHECK (status IN (${STATUSES})), priority int NOT NULL DEFAULT 5,
  attempts int NOT NULL DEFAULT 0, error text, worker_id text, scheduled_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(), started_at timestamptz, completed_at timestamptz`;

/** `key`: how a row is found again; `fence`: what each move of ours must grow. */
const TABLES = [
  {
    name: "bare, key by text",
    table: "bare_text",
    key: "id",
    keyType: "text",
    make: `CREATE SEQUENCE bare_text_seq CACHE 100;
      CREATE TABLE bare_text (id text PRIMARY KEY DEFAULT 'job-' || nextval('bare_text_seq'), ${BARE_COLUMNS}) WITH (fillfactor = 70);
      CREATE INDEX ON bare_text (priority DESC, scheduled_at, id) WHERE status = 'pending';
      CREATE INDEX ON bare_text (worker_id) WHERE status = 'running'`,
  },
  {
    name: "bare, key by number",
    table: "bare_number",
    key: "seq",
    keyType: "bigint",
    make: `CREATE TABLE bare_number (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id text GENERATED ALWAYS AS ('job-' || seq) STORED, ${BARE_COLUMNS}) WITH (fillfactor = 70);
      CREATE INDEX ON bare_number (priority DESC, scheduled_at, seq) WHERE status = 'pending'`,
  },
  {
    name: "conforming (public.jobs)",
    table: "public.jobs",
    key: "seq",
    keyType: "bigint",
    fence: ", fence = fence + 1",
    // One kind, as a claim of ours asks for it.
    kind: "job_type = 'noop' AND ",
  },
];

const claimOf = ({ table, key, fence = "", kind = "" }) => `
  WITH n AS (SELECT ${key} FROM ${table} WHERE ${kind}status = 'pending' AND scheduled_at <= now()
    ORDER BY priority DESC, scheduled_at, ${key} LIMIT $1 FOR UPDATE SKIP LOCKED)
  UPDATE ${table} j SET status = 'running', attempts = attempts + 1, worker_id = $2, started_at = now()${fence}
  FROM n WHERE j.${key} = n.${key} RETURNING j.${key} AS key, j.job_type, j.payload, j.attempts`;

const completeOf = ({ table, key, keyType, fence = "" }) => `
  UPDATE ${table} j SET status = 'completed', completed_at = now(), worker_id = NULL${fence}
  FROM unnest($1::${keyType}[], $2::int[]) d(key, attempts)
  WHERE j.${key} = d.key AND j.attempts = d.attempts AND j.status = 'running' AND j.worker_id = $3`;

/**
 * Rows of { table, loops, batch, rate (jobs/s, median of the rounds), rates }. `port` of a PostgreSQL that lets the user
 * `bench` in; `rows` in the backlog of each drain.
 */
export async function measureRawLimit({ port, rows = 60_000, rounds = 1 }) {
  await recreateDatabase(port);
  const measured = TABLES.flatMap(({ name }) =>
    SHAPES.map((shape) => ({ table: name, ...shape, rates: [] })),
  );
  try {
    await makeTables(port);
    for (let round = 1; round <= rounds; round++) {
      for (const one of measured) {
        const table = TABLES.find(({ name }) => name === one.table);
        one.rates.push(await drain(port, table, { ...one, rows }));
      }
    }
  } finally {
    await withClient(port, "postgres", (c) => c.query(`DROP DATABASE ${DATABASE} WITH (FORCE)`));
  }
  return measured.map((one) => ({ ...one, rate: median(one.rates) }));
}

/** The best shape of a table, or of all tables whose name begins so. */
export function limitOf(measured, prefix) {
  const those = measured.filter(({ table }) => table.startsWith(prefix));
  return those.reduce((best, one) => (one.rate > best.rate ? one : best));
}

/** As Markdown, with the ratio of the conforming table to the best bare one. */
export function rawLimitTable(measured) {
  const lines = ["| raw claim + complete | loops | batch | jobs/s |", "|---|---:|---:|---:|"];
  for (const { table, loops, batch, rate } of measured)
    lines.push(`| ${table} | ${loops} | ${batch} | ${digits(rate)} |`);
  const bare = limitOf(measured, "bare");
  const ours = limitOf(measured, "conforming");
  const ratio = (ours.rate / bare.rate).toFixed(2);
  lines.push(
    "",
    `Limit on the conforming table: ${digits(ours.rate)} jobs/s, ${ratio} of the bare one.`,
  );
  return lines.join("\n");
}

async function drain(port, table, { loops, batch, rows }) {
  await withClient(port, DATABASE, async (c) => {
    await c.query(`TRUNCATE ${table.table}`);
    await c.query(
      `INSERT INTO ${table.table} (job_type, payload) SELECT 'noop', '{"i":1}' FROM generate_series(1, $1::int)`,
      [rows],
    );
    await c.query(`ANALYZE ${table.table}`);
  });
  const started = performance.now();
  const done = await Promise.all(
    Array.from({ length: loops }, (_, i) =>
      withClient(port, DATABASE, (c) => loop(c, table, batch, `w${i}`)),
    ),
  );
  const seconds = (performance.now() - started) / 1000;
  const total = done.reduce((sum, one) => sum + one, 0);
  if (total !== rows) throw new Error(`${table.name}: ${total} of ${rows} rows were completed`);
  return total / seconds;
}

async function loop(client, table, batch, worker) {
  const claim = { name: "claim", text: claimOf(table) };
  const complete = { name: "complete", text: completeOf(table) };
  let done = 0;
  for (;;) {
    const { rows } = await client.query({ ...claim, values: [batch, worker] });
    if (rows.length === 0) return done;
    const values = [rows.map(({ key }) => key), rows.map(({ attempts }) => attempts), worker];
    done += (await client.query({ ...complete, values })).rowCount;
  }
}

async function recreateDatabase(port) {
  await withClient(port, "postgres", async (c) => {
    await c.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
    await c.query(`CREATE DATABASE ${DATABASE}`);
  });
}

async function makeTables(port) {
  const url = `postgres://${USER}@${HOST}:${port}/${DATABASE}`;
  const db = openDatabase({ url, poolMax: 2, applicationName: "bench", ssl: false });
  try {
    await migrate(db, await readMigrationFiles());
    for (const { make } of TABLES) if (make) await db.query(make);
  } finally {
    await db.close();
  }
}

async function withClient(port, database, work) {
  const client = new pg.Client({ host: HOST, port, user: USER, database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
