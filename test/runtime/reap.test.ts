/** What a killed executor leaves running is found by whoever comes next, ended, and said so. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endGroup } from "../../src/adapter/process-group.js";
import { reapProgram } from "../../src/adapter/reap.js";
import { silentLogger } from "../../src/base/log.js";
import { reapOrphans } from "../../src/runtime/executor/reap.js";
import { isGone, processKey } from "../../src/runtime/process-key.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

let ground: TestDatabase;
let folder: string;
beforeAll(async () => {
  ground = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), "reap-"));
  await writeFile(join(folder, "executor.mjs"), EXECUTOR);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await ground.drop();
});

const src = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
/** Starts each program that its arguments name as scripts, says what it began, and never ends. */
const EXECUTOR = `
  import { createShell } from ${src("adapter/shell.ts")};
  import { processKey } from ${src("runtime/process-key.ts")};
  const shell = createShell({ redact: (text) => text, keyOf: processKey });
  const [mark, ...scripts] = process.argv.slice(2);
  const signal = new AbortController().signal;
  for (const [ordinal, script] of scripts.entries())
    void shell.run(["sh", "-c", script], { signal, timeoutMs: 60_000, mark,
      onStarted: async (group) => console.log(JSON.stringify({ ordinal, ...group, executorKey: processKey(process.pid) })),
      onLine: (line) => console.log(line) });`;

interface Begun {
  readonly ordinal: number;
  readonly pgid: number;
  readonly processKey: string;
  readonly executorKey: string;
}

interface Executor {
  readonly process: ChildProcess;
  /** As its scripts stand. */
  readonly begun: readonly Begun[];
  /** Numbers of processes that the programs told, as they told them. */
  readonly pids: readonly number[];
}

/** Resolves when each program has said `ready`, which it says last. */
async function startExecutor(mark: string, ...scripts: string[]): Promise<Executor> {
  const child = spawn(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), join(folder, "executor.mjs"), mark, ...scripts],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const begun: Begun[] = [];
  const pids: number[] = [];
  let ready = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    if (line.startsWith("{")) begun.push(JSON.parse(line) as Begun);
    else if (line === "ready") ready++;
    else pids.push(Number(line));
    if (ready === scripts.length) break;
  }
  return { process: child, begun: begun.sort((a, b) => a.ordinal - b.ordinal), pids };
}

async function kill({ process: child }: Executor): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function addRun(more: { status?: string; fence?: number; lease?: string } = {}) {
  const { rows } = await ground.db.query<{ seq: number }>(
    `INSERT INTO control.run (runbook, actor, role, door, content_hash, status, fence, started_at, lease_until)
     VALUES ('made-up', 'ann', 'operator', 'cli', 'hash', $1, $2, now(), now() + $3::interval) RETURNING seq`,
    [more.status ?? "running", more.fence ?? 1, more.lease ?? "30 s"],
  );
  return rows[0]!.seq;
}

async function addProcess(runSeq: number, begun: Omit<Begun, "ordinal">): Promise<void> {
  await ground.db.query(
    `INSERT INTO control.run_process (run_seq, fence, pgid, process_key, executor_key, program, phase, ordinal)
     VALUES ($1, 1, $2, $3, $4, 'sh', 'act', 0)`,
    [runSeq, begun.pgid, begun.processKey, begun.executorKey],
  );
}

const endings = async (runSeq: number) =>
  (
    await ground.db.query<{ endedBy: string | null }>(
      `SELECT ended_by AS "endedBy" FROM control.run_process WHERE run_seq = $1 ORDER BY pgid`,
      [runSeq],
    )
  ).rows.map(({ endedBy }) => endedBy);

const reap = (runSeq: number) =>
  reapOrphans(
    { db: ground.db, log: silentLogger, reap: (orphan) => reapProgram(orphan, 200) },
    runSeq,
  );

/** A zombie that nobody has buried is as dead as it gets. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

const TREE = `trap "" TERM; sh -c 'trap "" TERM; echo $$; echo ready; sleep 300; sleep 300' & wait; sleep 300`;
const LEFT_THE_GROUP = `setsid sh -c 'trap "" TERM; echo $$; echo ready; sleep 300' & sleep 300`;
const LEADER_EXITS = "sh -c 'echo $$; echo ready; sleep 300' & sleep 300";
const SIMPLE = "echo $$; echo ready; sleep 300";

test("a process counts as gone only when the system says that there is none", () => {
  const own = processKey(process.pid);
  if (own === null) return expect(process.platform).not.toBe("linux");
  const failing = (code: string) => () => {
    throw Object.assign(new Error(code), { code });
  };
  expect(isGone(own)).toBe(false);
  expect(["ENOENT", "ESRCH"].map((code) => isGone(own, failing(code)))).toEqual([true, true]);
  // Who has no file left to open knows nothing of others.
  expect(["EMFILE", "EACCES"].map((code) => isGone(own, failing(code)))).toEqual([false, false]);
});

describe("what a killed executor leaves", () => {
  test("is ended, whatever it traps and wherever it went, and nothing of another system's run with that number", async () => {
    const runSeq = await addRun();
    const mark = `run-${runSeq}/1`;
    const [killed, other] = await Promise.all([
      startExecutor(mark, TREE, LEFT_THE_GROUP, LEADER_EXITS),
      startExecutor(mark, SIMPLE),
    ]);
    for (const begun of killed.begun) await addProcess(runSeq, begun);
    // Dead first: an executor that lives ends what its leader leaves, and that is not what is asked here.
    await kill(killed);
    // A leader that is gone while its group lives on: then the mark alone tells.
    process.kill(killed.begun[2]!.pgid, "SIGKILL");
    expect(await Promise.all(killed.pids.map(isAlive))).toEqual([true, true, true]);

    expect(await reap(runSeq)).toBeGreaterThanOrEqual(2);
    expect(await Promise.all(killed.pids.map(isAlive))).toEqual([false, false, false]);
    for (const { processKey: key } of killed.begun) expect(isGone(key)).toBe(true);
    const ended = await endings(runSeq);
    expect(ended.filter((it) => it === "reaped").length).toBeGreaterThanOrEqual(2);
    expect(ended).not.toContain(null);

    expect(await isAlive(other.pids[0]!)).toBe(true);
    await kill(other);
    process.kill(-other.begun[0]!.pgid, "SIGKILL");
  });

  test("is left alone while its executor lives and holds the run, and ended when the run went on without it", async () => {
    const runSeq = await addRun();
    const frozen = await startExecutor(`run-${runSeq}/1`, SIMPLE);
    await addProcess(runSeq, frozen.begun[0]!);
    expect(await reap(runSeq)).toBe(0);
    expect(await endings(runSeq)).toEqual([null]);

    frozen.process.kill("SIGSTOP");
    await ground.db.query("UPDATE control.run SET fence = 2 WHERE seq = $1", [runSeq]);
    expect(await reap(runSeq)).toBe(1);
    expect(await isAlive(frozen.pids[0]!)).toBe(false);
    expect(await endings(runSeq)).toEqual(["reaped"]);
    await kill(frozen);
  });

  test("that had ended by itself is called lost, and a process that has its number by now is not touched", async () => {
    const runSeq = await addRun();
    const own = processKey(process.pid)!;
    const [boot, namespace] = own.split(" ");
    // We stand for the later process: the same number, another start.
    const gone = { pgid: process.pid, processKey: `${boot} ${namespace} ${process.pid} 1` };
    await addProcess(runSeq, { ...gone, executorKey: `${boot} ${namespace} 1 1` });
    expect(await reap(runSeq)).toBe(0);
    expect(await endings(runSeq)).toEqual(["lost"]);
  });

  test.each<[string, string, string | null]>([
    ["is left to that machine", "-9 min", null],
    ["is called lost when nobody has held its run for ten minutes", "-11 min", "lost"],
  ])("on another machine %s", async (_what, lease, endedBy) => {
    const runSeq = await addRun({ lease });
    const key = (pid: number) => `0f0f0f0f pid:[4026531836] ${pid} 123`;
    await addProcess(runSeq, { pgid: 1, processKey: key(77), executorKey: key(76) });
    expect(await reap(runSeq)).toBe(0);
    expect(await endings(runSeq)).toEqual([endedBy]);
  });

  test("under a group number that is not its leader's ends no group: to signal group 1 is to signal all", async () => {
    const runSeq = await addRun({ status: "stalled" });
    const own = processKey(process.pid)!;
    await addProcess(runSeq, { pgid: 1, processKey: own, executorKey: own });
    expect(await reap(runSeq)).toBe(0);
    expect(await endings(runSeq)).toEqual(["lost"]);
    await expect(endGroup(1, 0)).rejects.toThrow("no process group of ours");
  });

  test("and cannot be ended keeps its row open, so that it is tried again", async () => {
    const runSeq = await addRun({ status: "stalled" });
    const own = processKey(process.pid)!;
    await addProcess(runSeq, { pgid: process.pid, processKey: own, executorKey: own });
    const asked: number[] = [];
    const deps = {
      db: ground.db,
      log: silentLogger,
      reap: async ({ pgid }: { pgid: number }) => {
        asked.push(pgid);
        return { count: 1, confirmedEmpty: false };
      },
    };
    expect(await reapOrphans(deps)).toBe(0);
    // Its run is not resumed beside it.
    await expect(reapOrphans(deps, runSeq)).rejects.toMatchObject({
      kind: "waiting",
      code: "RUN_PROCESS_STUCK",
    });
    expect(asked).toEqual([process.pid, process.pid]);
    expect(await endings(runSeq)).toEqual([null]);
  });
});
