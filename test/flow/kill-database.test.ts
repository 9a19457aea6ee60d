/** The database goes away under load, in three ways; the service comes back by itself. */
import { createHmac, randomUUID } from "node:crypto";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { Database } from "../../src/store/database.js";
import { openDatabase } from "../../src/store/database.js";
import { withFolder } from "../support/git-repository.js";
import { lendToFile } from "../support/lend.js";
import { readPolicyFiles } from "../support/policy-files.js";
import { isAlive, type ReadyService } from "../support/service.js";
import {
  allDone,
  ask,
  countCompleted,
  enqueueScores,
  type Ground,
  passed,
  withGround,
} from "../support/service-ground.js";
import { findServer } from "../support/service-home.js";
import { until } from "../support/until.js";

vi.setConfig({ testTimeout: 240_000 });

const JOBS = 150;
/** Lines about jobs grow with the jobs; the rest is what an outage costs, and each further second of a long one. */
const OUTAGE_LINES_MAX = 200;
const OUTAGE_LINES_PER_SECOND_MAX = 60;

async function healthOf(service: ReadyService): Promise<number> {
  return (await fetch(`${service.url}/health`)).status;
}

interface Load {
  /** So many of its jobs are completed. */
  passed(count: number): Promise<void>;
  /** Since it was put. */
  logged(event?: string): readonly JsonObject[];
}

async function putLoad({ db, repoId, service }: Ground): Promise<Load> {
  const completed = await countCompleted(db);
  const lines = service().log.length;
  await enqueueScores(db, repoId, JOBS);
  return {
    passed: (count) => passed(db, completed + count),
    logged: (event) =>
      service()
        .log.slice(lines)
        .filter((line) => event === undefined || line.event === event),
  };
}

function linesOfOutage(load: Load): string[] {
  return load
    .logged()
    .map(({ event }) => String(event))
    .filter((event) => !/^(job|healdec|request)\./.test(event));
}

/** Every job once, whatever healing had to do for it, and nothing is running any more. */
async function expectAllDone(db: Database): Promise<void> {
  await allDone(db);
  const jobs = await ask<{ status: string; attempts: number; healed: number }>(
    db,
    `SELECT status, attempts, (SELECT count(*) FROM healdec_log h WHERE h.job_id = j.id) AS healed
     FROM jobs j WHERE job_type = 'score'`,
  );
  expect(jobs.filter(({ status }) => status !== "completed")).toEqual([]);
  expect(jobs.filter(({ attempts, healed }) => attempts !== 1 + healed)).toEqual([]);
}

async function expectRecovery({ db, service }: Ground, load: Load): Promise<void> {
  const fromMs = performance.now();
  await until(async () => (await healthOf(service())) === 200, "the service is healthy", 60_000);
  const seconds = (performance.now() - fromMs) / 1_000;
  await expectAllDone(db);
  const lines = linesOfOutage(load);
  const most = OUTAGE_LINES_MAX + seconds * OUTAGE_LINES_PER_SECOND_MAX;
  expect(lines.length, `in ${seconds} s: ${lines.join(" ")}`).toBeLessThan(most);
}

const SECRET = "a-secret-of-the-webhook";

/** As shipped, but that a server which is started again slowly costs no worker its life. */
async function withPatience(test: (ground: Ground) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    for (const [path, text] of Object.entries(readPolicyFiles())) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(
        join(folder, path),
        text.replace("workerDeadAfter: 5s", "workerDeadAfter: 15s"),
      );
    }
    const env = { GITHUB_WEBHOOK_SECRET: SECRET, POLICY_SOURCE: join(folder, "policies") };
    await withGround(test, { env });
  });
}

/** A signed delivery, twice, as GitHub and a person who redelivers it would: its id. */
async function deliver(url: string): Promise<string> {
  const id = randomUUID();
  const body = JSON.stringify({ zen: "Keep it logically awesome." });
  const headers = {
    "content-type": "application/json",
    "x-github-event": "ping",
    "x-github-delivery": id,
    "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`,
  };
  for (let time = 0; time < 2; time++) {
    const reply = await fetch(`${url}/webhooks/github`, { method: "POST", headers, body });
    expect(reply.status).toBe(202);
    // It may be back by now: then it stands there itself.
    const outcome = expect.stringMatching(/^(journalled|ignored|duplicate)$/);
    expect(await reply.json()).toMatchObject({ delivery_id: id, outcome });
  }
  return id;
}

async function expectKeptOnce(db: Database, id: string): Promise<void> {
  await until(async () => {
    const rows = await ask(db, `SELECT FROM control.inbound WHERE delivery_id = '${id}'`);
    return rows.length === 1;
  }, "what was kept on the machine is in the database");
  const entries = await ask<{ outcome: string }>(db, "SELECT outcome FROM control.journal_entry");
  expect(entries.length).toBeLessThanOrEqual(1);
}

/** Until it is let, no server starts here: by itself it may be back before anybody has looked. */
function refuseStarts(home: string): () => void {
  const { folder } = JSON.parse(readFileSync(join(home, "postgres.json"), "utf8"));
  const settings = join(folder, "data", "postgresql.auto.conf");
  const before = readFileSync(settings);
  appendFileSync(settings, "made_up = 1\n");
  return () => writeFileSync(settings, before);
}

/** Stops all processes of the server where they stand; whoever asks hears nothing. */
async function hang(ground: Ground): Promise<() => void> {
  const pids = await serverProcesses(ground);
  signalAll(pids, "SIGSTOP");
  return () => signalAll(pids, "SIGCONT");
}

/** A session may have ended by then. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) if (isAlive(pid)) process.kill(pid, signal);
}

async function serverProcesses({ home }: Ground): Promise<number[]> {
  const { url, pid } = findServer(home)!;
  const db = openDatabase({ url, poolMax: 1, applicationName: "test", ssl: false });
  try {
    const { rows } = await db.query<{ pid: number }>("SELECT pid FROM pg_stat_activity");
    return [pid, ...rows.map((row) => row.pid)];
  } finally {
    await db.close();
  }
}

describe("the database under 150 running jobs", () => {
  const ground = lendToFile<Ground>(withPatience);

  it("is shut down: /health says 503, then it is started again, and no process of ours dies", async () => {
    const { home, service } = ground();
    const load = await putLoad(ground());
    await load.passed(20);
    const letStart = refuseStarts(home);
    process.kill(findServer(home)!.pid, "SIGINT");
    await until(async () => (await healthOf(service())) === 503, "the service is unhealthy");
    const kept = await deliver(service().url);
    letStart();
    await expectRecovery(ground(), load);
    expect(load.logged("process.died")).toEqual([]);
    await expectKeptOnce(ground().db, kept);
  });

  it("ends all its sessions again and again, and no process of ours dies", async () => {
    const { db } = ground();
    const load = await putLoad(ground());
    for (const count of [10, 30, 50, 70, 90, 110]) {
      await load.passed(count);
      await ask(
        db,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
    }
    await expectRecovery(ground(), load);
    expect(load.logged("process.died")).toEqual([]);
  });

  it("hangs without a word: workers end when their lease does, and new ones go on", async () => {
    const { service } = ground();
    const load = await putLoad(ground());
    await load.passed(20);
    const goOn = await hang(ground());
    try {
      await until(() => load.logged("process.died").length >= 3, "the workers end", 60_000);
      expect(await healthOf(service())).toBe(503);
    } finally {
      goOn();
    }
    await expectRecovery(ground(), load);
  });
});
