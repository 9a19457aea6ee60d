// Proves the way from the software before the present runtime to this one and back: a database that the old version
// filled is upgraded in place while the old version goes on working, the old one comes back beside and instead of the
// new one, and at the end the new one has the field again. Processes of both are killed meanwhile. No job is lost, and
// none is completed twice.
//
//   npm run proof:upgrade                        4,000 jobs, a minute and a half on two cores
//   npm run proof:upgrade -- --jobs 800
//
// The old version is built from the history of this repository, with the present node_modules.
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { verifyAudit } from "../../dist/src/store/audit.js";
import { withScene } from "./scene.mjs";
import { say, until, Version } from "./version.mjs";

/** The last commit before the present runtime. */
const OLD = "a4b101f";
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { values } = parseArgs({
  options: { jobs: { type: "string", default: "4000" }, keep: { type: "boolean", default: false } },
});
const JOBS = Number(values.jobs);
const PHASES = 5;

/** Compiles the old version into `folder`. */
function buildOld(folder) {
  mkdirSync(folder);
  try {
    const archive = execFileSync("git", ["archive", OLD], {
      cwd: ROOT,
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "ignore"],
    });
    execFileSync("tar", ["-x", "-C", folder], { input: archive });
  } catch {
    console.error(
      `this checkout has no commit ${OLD}: fetch the whole history (git fetch --unshallow)`,
    );
    process.exit(2);
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  execFileSync(process.execPath, ["scripts/build.mjs"], { cwd: folder, stdio: "inherit" });
}

/** Plain SQL, which both versions understand: the scores of one repository on so many days. */
async function fill(scene, repoId, phase) {
  const count = Math.floor(JOBS / PHASES);
  await scene.ask(
    `INSERT INTO jobs (job_type, payload)
     SELECT 'score', jsonb_build_object('repo_id', $1::text, 'as_of', (date '2025-12-31' - n)::text)
     FROM generate_series($2::int, $2 + $3 - 1) AS n`,
    [repoId, phase * count, count],
  );
  await scene.ask(
    `INSERT INTO jobs (job_type, payload, scheduled_at)
     SELECT 'score', jsonb_build_object('repo_id', $1::text), now() + interval '5 s' FROM generate_series(1, 20)`,
    [repoId],
  );
  // What people must look at: it fails the check of its payload, and what was set aside before stays so.
  await scene.ask(
    `INSERT INTO jobs (job_type, payload) SELECT 'score', '{"wrong": true}' FROM generate_series(1, 5)`,
  );
  await scene.ask(
    `INSERT INTO jobs (job_type, payload, status, error, completed_at)
     SELECT 'index', '{"path": "/nowhere"}', 'failed', 'by hand', now() FROM generate_series(1, 5)`,
  );
}

const open = async (scene) =>
  (
    await scene.ask(
      "SELECT count(*)::int AS n FROM jobs WHERE job_type = 'score' AND status IN ('pending', 'running')",
    )
  )[0].n;

/** Until so many of the open jobs are done. */
async function work(scene, what, share) {
  const target = (await open(scene)) * (1 - share);
  await until(what, async () => (await open(scene)) <= target);
  say(what);
}

async function watchMoves(scene) {
  await scene.ask(
    `CREATE TABLE seen_completion (seq bigint);
     CREATE FUNCTION note_completion() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN INSERT INTO seen_completion VALUES (NEW.seq); RETURN NULL; END $$;
     CREATE TRIGGER note_completion AFTER UPDATE ON jobs FOR EACH ROW
       WHEN (NEW.status = 'completed' AND OLD.status <> 'completed') EXECUTE FUNCTION note_completion()`,
  );
}

function makeRepository(path) {
  mkdirSync(path);
  const git = (...args) =>
    execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
      cwd: path,
    });
  git("init", "--quiet");
  git("commit", "--quiet", "--allow-empty", "--message", "begin");
}

async function indexRepository(scene) {
  const path = join(scene.home, "widgets");
  makeRepository(path);
  await scene.ask("INSERT INTO jobs (job_type, payload) VALUES ('index', $1)", [
    JSON.stringify({ path }),
  ]);
  const [repo] = await until("the repository is indexed", async () => {
    const rows = await scene.ask("SELECT id FROM repos");
    return rows.length > 0 && rows;
  });
  return repo.id;
}

async function judge(scene, wanted) {
  const rows = await scene.ask(
    `SELECT status, count(*)::int AS n FROM jobs
     WHERE job_type = 'score' AND requested_by IS NULL AND parent_seq IS NULL GROUP BY status`,
  );
  const n = (status) => rows.find((row) => row.status === status)?.n ?? 0;
  const [facts] = await scene.ask(
    `SELECT (SELECT count(*)::int FROM (SELECT seq FROM seen_completion GROUP BY seq HAVING count(*) > 1) twice) AS twice,
       (SELECT count(*)::int FROM jobs WHERE job_type = 'index' AND status = 'failed') AS failed,
       (SELECT count(*)::int FROM jobs WHERE status = 'running') AS running,
       (SELECT coalesce(sum(count), 0)::int FROM control.late_settle) AS late,
       (SELECT count(*)::int FROM healdec_log WHERE strategy = 'restart') AS restarts`,
  );
  const audit = await verifyAudit(scene.db);
  say(
    `completed ${n("completed")}, quarantined ${n("quarantined")}, failed ${n("failed")}; restarted by healing ${facts.restarts}; late finishes refused ${facts.late}`,
  );
  const judged = [
    ["jobs not completed", wanted.good - n("completed")],
    ["wrong payloads not quarantined", wanted.wrong - n("quarantined")],
    ["failed rows that did not stay", wanted.failed - facts.failed],
    ["jobs completed twice", facts.twice],
    ["jobs left running", facts.running],
    ["audit chain broken", audit.ok ? 0 : 1],
  ];
  for (const [what, count] of judged) say(`${count === 0 ? "ok  " : "FAIL"}  ${what}: ${count}`);
  return judged.every(([, count]) => count === 0);
}

async function upgrade(scene) {
  const oldRoot = join(scene.home, "old-version");
  buildOld(oldRoot);
  say(`built ${OLD}`);
  const before = new Version("old", oldRoot, scene);
  const now = new Version("new", ROOT, scene);
  await before.start();
  await watchMoves(scene);
  const repoId = await indexRepository(scene);

  await fill(scene, repoId, 0);
  await work(scene, "the old version alone has done a third", 0.3);
  await now.start();
  await fill(scene, repoId, 1);
  await before.killWorker();
  await now.killWorker();
  await work(scene, "both side by side have done half of the rest", 0.5);
  await before.stop();
  await fill(scene, repoId, 2);
  await work(scene, "the new version alone has done half of the rest", 0.5);
  await before.start();
  await now.killWorker();
  await fill(scene, repoId, 3);
  await now.stop();
  await before.killWorker();
  await work(scene, "rolled back, the old version alone has done half of the rest", 0.5);
  await now.start();
  await before.stop();
  await fill(scene, repoId, 4);
  await until("everything is final", async () => (await open(scene)) === 0);
  await now.stop();
  const count = Math.floor(JOBS / PHASES);
  // The job that follows the indexing scores the repository once more, and is somebody's child.
  return judge(scene, { good: PHASES * (count + 20), wrong: PHASES * 5, failed: PHASES * 5 });
}

const fine = await withScene(values.keep, upgrade, { migrated: false });
say(fine ? "proven: upgraded, rolled back and forward, nothing lost" : "NOT proven");
process.exit(fine ? 0 : 1);
