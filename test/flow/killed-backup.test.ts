/** SIGKILL of an executor whose pg_dump is at work: whoever goes on with the run ends that pg_dump before its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadRunbooks } from "../../src/main/runbooks.js";
import { sweepRuns } from "../../src/store/run-leases.js";
import { readRun } from "../../src/store/runs.js";
import { type BackupPlace, workOnBackup } from "../support/backup-process.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { queueRun } from "../support/runbook-world.js";
import { isAlive } from "../support/service.js";
import { until } from "../support/until.js";

const EXECUTOR = fileURLToPath(new URL("../support/backup-process.ts", import.meta.url));

let lent: TestDatabase;
let folder: string;
let place: BackupPlace;
beforeAll(async () => {
  lent = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), "algobrain-killed-backup-"));
  const runId = await queueRun(lent.db, await loadRunbooks(), "backup-database", { params: {} });
  place = { databaseUrl: lent.url, folder, runId };
});
afterAll(async () => {
  await lent.drop();
  await rm(folder, { recursive: true, force: true });
});

/** Newer than any server. The first time it takes for ever, then it is quick. */
const PG_DUMP = `#!/bin/sh
if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 99.0"; exit 0; fi
for word in "$@"; do case "$word" in --file=*) file=\${word#--file=};; esac; done
if mkdir "FOLDER/first" 2>/dev/null; then
  echo half > "$file"
  echo $$ > "FOLDER/pid"
  sleep 300 & wait
fi
echo whole > "$file"
`;

async function begunDump(): Promise<number | null> {
  const text = await readFile(join(folder, "pid"), "utf8").catch(() => "");
  return text.endsWith("\n") ? Number(text) : null;
}

const processes = async () =>
  (
    await lent.db.query<{ program: string; pgid: number; endedBy: string | null }>(
      `SELECT program, pgid, ended_by AS "endedBy" FROM control.run_process ORDER BY started_at`,
    )
  ).rows;

test("no pg_dump outlives the run's next executor, and the backup is made once", async () => {
  const program = join(folder, "pg_dump");
  await writeFile(program, PG_DUMP.replaceAll("FOLDER", folder));
  await chmod(program, 0o755);
  const executor = spawn(process.execPath, ["--import", "tsx", EXECUTOR], {
    env: { PATH: process.env.PATH ?? "", TEST_BACKUP_PLACE: JSON.stringify(place) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(executor, "exit");
  await until(async () => (await begunDump()) !== null, "pg_dump is at work");
  const pid = (await begunDump())!;
  executor.kill("SIGKILL");
  await exited;
  expect(isAlive(pid)).toBe(true);
  expect(await processes()).toEqual([
    { program: "pg_dump", pgid: expect.any(Number), endedBy: "exit" },
    { program: "pg_dump", pgid: pid, endedBy: null },
  ]);

  // What time would do.
  await lent.db.query(
    "UPDATE control.run SET lease_until = lease_until - interval '51 s' WHERE status = 'running'",
  );
  await lent.db.transaction((tx) => sweepRuns(tx));
  await workOnBackup(lent.db, place);

  expect(isAlive(pid)).toBe(false);
  const ended = await readRun(lent.db, place.runId);
  expect(ended).toMatchObject({ status: "succeeded", verified: true });
  expect((await processes()).map(({ endedBy }) => endedBy)).toEqual([
    ...["exit", "reaped"],
    ...["exit", "exit"],
  ]);
  const made = (await readdir(join(folder, "backups"))).filter((name) => name.endsWith(".dump"));
  expect(made, "what the first one left half done is gone").toHaveLength(1);
  expect(await readFile(join(folder, "backups", made[0]!), "utf8")).toBe("whole\n");
});
