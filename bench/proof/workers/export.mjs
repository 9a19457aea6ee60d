// A million events go out, to a folder and to a bucket (a stand-in for S3 in this process; each export is a process of
// its own): undisturbed, with a connection that is cut in the midst of the third part, and killed with -9 behind the
// second part and taken up again. Compares the bytes of all and measures the memory of each.
//
//   npm run build && node bench/proof/workers/export.mjs                 a million rows: about two minutes
//   node bench/proof/workers/export.mjs --rows 200000                    fewer
//
// Ends with 1 when a process needs 150 MB or more, when a row is missing, when the bytes differ, or when a checksum is
// not that of the bytes.
import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGunzip } from "node:zlib";
import { createS3Export } from "../../../dist/src/adapter/aws-s3-export.js";
import { startStandInS3 } from "../../../dist/src/adapter/stand-in/s3.js";
import { systemClock } from "../../../dist/src/base/clock.js";
import { silentLogger } from "../../../dist/src/base/log.js";
import { createExportHandler } from "../../../dist/src/runtime/handler/export.js";
import { openDatabase } from "../../../dist/src/store/database.js";
import { kill, withScene } from "../scene.mjs";

const MEMORY_BAR_MB = 150;
const LOOK_MS = 20;
const BUCKET = "exports";

async function main() {
  const { values } = parseArgs({ options: { rows: { type: "string", default: "1000000" } } });
  const rows = Number(values.rows);
  const s3 = await startStandInS3([BUCKET]);
  const isMet = await withScene(false, async ({ db, url, home }) => {
    await fill(db, rows);
    const place = { db, s3, env: { DATABASE_URL: url, ALGOBRAIN_HOME: home, S3_URL: s3.url } };
    const folder = await runExport(place, 1, { to: "directory" });
    const bucket = await runExport(place, 2, { to: "s3" });
    // The upload's beginning and two parts arrive; the third part is cut.
    const honest = { kind: "honest" };
    s3.misbehave(honest, honest, honest, { kind: "cut-request" });
    const cut = await runExport(place, 3, { to: "s3" });
    const killed = await runKilled(place, 4, { to: "s3" });
    const csv = await runExport(place, 5, { to: "directory", format: "csv" });
    return judge(place, rows, { folder, bucket, cut, killed, csv });
  });
  await s3.close();
  process.exitCode = isMet ? 0 : 1;
}

async function fill(db, rows) {
  await db.connect(async (session) => {
    await session.query("SET statement_timeout = 0");
    await session.query(
      `INSERT INTO events (delivery_id, event_type, repo_id, payload, occurred_at)
       SELECT gen_random_uuid()::text, 'push', 'repo-' || n % 500,
         jsonb_build_object('ref', 'refs/heads/main', 'before', md5(n::text), 'after', md5((n + 1)::text),
           'pusher', jsonb_build_object('name', 'dev-' || n % 900, 'email', 'dev' || n % 900 || '@example.org'),
           'head_commit', jsonb_build_object('message', 'change number ' || n, 'added', n % 7)),
         now() - n * interval '1 s'
       FROM generate_series(1, $1::int) n`,
      [rows],
    );
  });
}

function start({ env }, seq, payload) {
  const job = JSON.stringify({ seq, payload: { entity: "events", ...payload } });
  const options = { env: { ...process.env, ...env, EXPORT_JOB: job } };
  return fork(fileURLToPath(import.meta.url), ["export"], options);
}

/** `{ result, rssMb, ms }` */
async function runExport(place, seq, payload) {
  const fromMs = performance.now();
  const [said] = await once(start(place, seq, payload), "message");
  return { ...said, seq, ms: performance.now() - fromMs };
}

async function runKilled(place, seq, payload) {
  const child = start(place, seq, payload);
  const parts = async () => {
    const { rows } = await place.db.query(
      "SELECT number FROM control.export_part WHERE job_seq = $1",
      [seq],
    );
    return rows.length;
  };
  while ((await parts()) < 2) await systemClock.sleep(LOOK_MS);
  const exited = once(child, "exit");
  kill(child.pid, "SIGKILL");
  await exited;
  const kept = await parts();
  return { ...(await runExport(place, seq, payload)), kept };
}

/** The export as a worker runs it, in a process that does nothing else. */
async function exportOnce() {
  const { DATABASE_URL: url, ALGOBRAIN_HOME: home, S3_URL: endpointUrl, EXPORT_JOB } = process.env;
  const { seq, payload } = JSON.parse(EXPORT_JOB);
  const db = openDatabase({ url, poolMax: 3, applicationName: "proof-export", ssl: false });
  const credentials = { accessKeyId: "proof", secretAccessKey: "proof" };
  const access = { region: "us-east-1", endpointUrl, credentials };
  const handler = createExportHandler({
    ...{ db, clock: systemClock, exportsDir: join(home, "exports") },
    exportBucket: createS3Export({ bucket: BUCKET, prefix: "", ...access }),
  });
  const job = {
    seq,
    id: `job-${seq}`,
    kind: "export",
    payload,
    attempt: 1,
    fence: 1,
    crashCount: 0,
  };
  const result = await handler.run({
    ...{ job, signal: new AbortController().signal, log: silentLogger },
    ...{ now: () => new Date(), progress: () => {}, compensateWith: async () => {} },
  });
  await db.close();
  process.send({ result, rssMb: peakMb() });
}

/** What getrusage says begins with the memory of the process that forked this one. */
function peakMb() {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS / 1_024;
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1_024;
}

async function judge({ s3 }, rows, runs) {
  const { folder, bucket, cut, killed, csv } = runs;
  const objectOf = ({ seq }) => s3.objects.get(`${BUCKET}/events-job-${seq}.ndjson.gz`).bytes;
  const digests = [bucket, cut, killed].map((run) => digestOf(objectOf(run)));
  const all = Object.values(runs);
  const bars = [
    [
      `memory below ${MEMORY_BAR_MB} MB: ${all.map(({ rssMb }) => rssMb.toFixed(0)).join(", ")}`,
      all.every(({ rssMb }) => rssMb < MEMORY_BAR_MB),
    ],
    [
      `${rows} rows in each, also when they are counted in the file`,
      all.every(({ result }) => result.rows === rows) &&
        (await linesIn(Readable.from([objectOf(killed)]))) === rows &&
        (await linesIn(createReadStream(csv.result.file))) === rows + 1,
    ],
    [
      `one digest: undisturbed, cut, killed, and the folder's ${folder.result.sha256.slice(0, 12)}`,
      digests.every((digest) => digest === folder.result.sha256) &&
        digestOf(await readFile(folder.result.file)) === folder.result.sha256,
    ],
    [
      `one checksum, as the manifest states it: ${bucket.result.checksum}`,
      [bucket, cut, killed, folder].every(
        ({ result }) => checksumOf(s3, result) === bucket.result.checksum,
      ),
    ],
    [
      `the killed one went on behind part ${killed.kept} of ${killed.result.parts}`,
      killed.kept >= 2 && killed.result.parts > killed.kept,
    ],
  ];
  for (const [text, isMet] of bars) console.log(`${isMet ? "met " : "MISSED"}  ${text}`);
  const speeds = Object.entries(runs).map(
    ([name, { ms, result }]) =>
      `${name} ${(ms / 1_000).toFixed(1)} s, ${(result.bytes / 1e6).toFixed(0)} MB`,
  );
  console.log(`      ${speeds.join("; ")}`);
  return bars.every(([, isMet]) => isMet);
}

/** Of the object as the stand-in computed it; for the folder as the result says. */
function checksumOf(s3, { file, checksum }) {
  const object = s3.objects.get(file.replace("s3://", ""));
  return object === undefined || object.checksum === checksum ? checksum : null;
}

function digestOf(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

async function linesIn(compressed) {
  let lines = 0;
  for await (const piece of compressed.pipe(createGunzip()))
    for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, at + 1)) lines++;
  return lines;
}

await (process.argv[2] === "export" ? exportOnce() : main());
