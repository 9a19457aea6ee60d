/**
 * Rehearses a runbook as an executor would run it: on a real database, with the power that its file declares and
 * no other, under its fence; and lets the executor die wherever it writes.
 */
import { type Clock, systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import { silentLogger } from "../../src/base/log.js";
import type { Access } from "../../src/policy/policy.js";
import type { Recorder } from "../../src/runbook/execution.js";
import type { Shell, ShellResult } from "../../src/runbook/port.js";
import type { RunbookRegistry } from "../../src/runbook/registry.js";
import {
  isFinal,
  type Phase,
  type Run,
  type RunStatus,
  type StepKey,
  type StepRecord,
} from "../../src/runbook/run.js";
import { openPower } from "../../src/runtime/executor/power.js";
import {
  createRunbookHandler,
  type RunbookHandlerDeps,
} from "../../src/runtime/handler/runbook.js";
import type { Database } from "../../src/store/database.js";
import type { DatabaseCareOptions } from "../../src/store/database-care.js";
import { sweepRunRoles } from "../../src/store/run-role.js";
import { readSteps } from "../../src/store/run-steps.js";
import { undoRun } from "../../src/store/run-undo.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase } from "./database.js";
import { makeContext } from "./job-context.js";
import { makeAccessRule, makePolicy } from "./make-policy.js";
import { ACCESS, makeHandlerDeps, queueRun } from "./runbook-world.js";

/** One a file: cases keep apart by their own jobs and kinds. */
export interface RunbookGround {
  readonly db: Database;
  readonly url: string;
  readonly registry: RunbookRegistry;
  /** Of backups and restores: a folder of the test's own, and the programs that are there. */
  readonly care: Partial<DatabaseCareOptions>;
  drop(): Promise<void>;
}

export async function openGround(
  registry: RunbookRegistry,
  care: Partial<DatabaseCareOptions> = {},
): Promise<RunbookGround> {
  const { db, url, drop } = await createTestDatabase();
  const end = async () => {
    await db.query(
      "UPDATE control.run SET status = 'failed' WHERE status IN ('queued', 'running')",
    );
    await sweepRunRoles(db);
    await drop();
  };
  return { db, url, registry, care: { directUrl: url, ...care }, drop: end };
}

export interface Given {
  readonly params?: JsonObject;
  readonly dryRun?: boolean;
  /** Unexpected programs fail the run. */
  readonly shell?: Shell;
  readonly other?: Partial<RunbookHandlerDeps>;
}

export interface Rehearsed {
  readonly run: Run;
  readonly steps: readonly StepRecord[];
  /** Tables whose rows are others than before, besides those that record the run itself. */
  readonly changed: readonly string[];
}

/** Who agrees is another matter (test/store/approvals): here an admin asks, and nobody need agree. */
const ANYONE: Access = {
  ...ACCESS,
  rules: (["R", "V", "D"] as const).map((danger) =>
    makeAccessRule({ danger, role: "viewer", doors: ["cli"] }),
  ),
};
const ASKER = { name: "ann", role: "admin", door: "cli" } as const;

/** Waits of runbooks pass faster than people's time does; what the database says of time is as ever. */
const SPEED = 40;

function fastClock(): Clock {
  const start = systemClock.now().getTime();
  return {
    now: () => new Date(start + (systemClock.now().getTime() - start) * SPEED),
    sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
  };
}

/** Runs it to its end; for a dry run, to the end of its plan. */
export async function rehearse(
  ground: RunbookGround,
  runbook: string,
  given: Given = {},
): Promise<Rehearsed> {
  const before = await fingerprints(ground.db);
  const id = await ask(ground, runbook, given);
  await execute(ground, id, given);
  return conclude(ground.db, id, before);
}

/** What a person's undo of an ended run comes to. */
export async function takeBack(
  ground: RunbookGround,
  original: Run,
  given: Given = {},
): Promise<Rehearsed> {
  const before = await fingerprints(ground.db);
  const asked = await ground.db.transaction((tx) => undoRun(tx, original, { actor: ASKER }));
  if (asked.outcome === "refused") throw new Error(`not taken back: ${asked.sentence}`);
  await execute(ground, asked.run.id, given);
  return conclude(ground.db, asked.run.id, before);
}

function ask({ db, registry }: RunbookGround, runbook: string, given: Given): Promise<string> {
  const { params = {}, dryRun = false } = given;
  return queueRun(db, registry, runbook, { params, dryRun, access: ANYONE, actor: ASKER });
}

async function execute(ground: RunbookGround, id: string, given: Given): Promise<void> {
  const { db, url, registry } = ground;
  const clock = fastClock();
  const handler = createRunbookHandler({
    ...makeHandlerDeps(db, ground.care),
    ...{ db, registry, clock, incidents: null, shell: given.shell ?? expectedShell([]) },
    policy: () => makePolicy({ access: ANYONE }),
    // Not `local`: a server that gave us no roles would fail the test.
    openPower: (run, runbook) =>
      openPower(
        { db, directUrl: url, ssl: false, environment: "test", log: silentLogger, clock },
        run,
        runbook,
      ),
    ...given.other,
  });
  const context = makeContext({ payload: { run_id: id } });
  await handler.run({ ...context, now: clock.now });
}

async function conclude(db: Database, id: string, before: Fingerprints): Promise<Rehearsed> {
  const run = (await readRun(db, id))!;
  const after = await fingerprints(db);
  const changed = [...after].filter(([table, digest]) => before.get(table) !== digest);
  return { run, steps: await readSteps(db, run.seq), changed: changed.map(([table]) => table) };
}

type Fingerprints = ReadonlyMap<string, string>;

/** Of all rows of every table, without what any run leaves of itself. */
async function fingerprints(db: Database): Promise<Fingerprints> {
  const { rows } = await db.query<{ name: string; digest: string }>(
    `SELECT name, (xpath('/row/digest/text()', query_to_xml(format(
         'SELECT md5(coalesce(string_agg(t::text, E''\\n'' ORDER BY t::text), '''')) AS digest FROM %s AS t %s', name,
         CASE name WHEN 'public.jobs' THEN 'WHERE job_type <> ''runbook''' ELSE '' END), false, true, '')))[1]::text AS digest
     FROM (SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname IN ('public', 'control') AND c.relkind IN ('r', 'p') AND NOT c.relispartition) AS tables
     WHERE name !~ '^control\\.(run|run_.*|target_lock|approval.*|audit_head|chat_post|promotion)$' AND name <> 'public.audit_log'
     ORDER BY name`,
  );
  return new Map(rows.map(({ name, digest }) => [name, digest]));
}

/** Between what an executor writes: the intent, what it did, and what is written of that. */
const MOMENTS = ["intent", "process-started", "process-ended", "effect", "result"] as const;
type Moment = (typeof MOMENTS)[number];

export interface CrashPoint {
  readonly after: Moment;
  readonly phase: Phase;
  readonly step: string;
  readonly ended: RunStatus;
  readonly outcome: string | null;
  /** How often the effect is there when all is over. */
  readonly effects: number;
}

export interface CrashScene extends Given {
  /** What the run is to do once, counted afterwards. */
  effects(): Promise<number>;
  /** Dies in these steps alone; default: in all. */
  readonly steps?: readonly string[];
  /** For the undo: an ended run that is taken back. */
  readonly original?: Run;
}

const KILLED = fault.waiting("KILLED", "the executor is gone");
const POINTS_MAX = 100;

/**
 * Once for every moment at which an executor may die, with a scene of its own: dies there, and another goes on.
 * Throws when an effect came twice, or did not come and nobody is told.
 */
export async function crashEverywhere(
  ground: RunbookGround,
  runbook: string,
  setScene: () => Promise<CrashScene>,
): Promise<readonly CrashPoint[]> {
  const points: CrashPoint[] = [];
  for (let at = 1; at <= POINTS_MAX; at += 1) {
    const point = await crashAt(ground, runbook, await setScene(), at);
    if (point === null) return points;
    const isTold = point.ended === "stalled" || point.ended === "failed";
    if (point.effects > 1 || (point.effects === 0 && !isTold))
      throw new Error(`${point.effects} effects after a crash: ${JSON.stringify(point)}`);
    points.push(point);
  }
  throw new Error(`more than ${POINTS_MAX} moments to crash at`);
}

/** Null: it came to its end before the so-manieth moment. */
async function crashAt(
  ground: RunbookGround,
  runbook: string,
  scene: CrashScene,
  at: number,
): Promise<CrashPoint | null> {
  const { db } = ground;
  const { original } = scene;
  const id = original
    ? await db.transaction(async (tx) => {
        const asked = await undoRun(tx, original, { actor: ASKER });
        if (asked.outcome === "refused") throw new Error(asked.sentence);
        return asked.run.id;
      })
    : await ask(ground, runbook, scene);
  const deadly = dyingAt(at, scene.steps);
  // What it may reach is rehearsed; here it is how often it does it, under the same fence.
  const openPower = async () => ({ db, secrets: [], close: async () => {} });
  const plain = { ...scene, other: { openPower, ...scene.other } };
  const other = { ...plain.other, wrapRecorder: deadly.wrap };
  try {
    await execute(ground, id, { ...scene, other });
  } catch (thrown) {
    if (deadly.died() === null) throw thrown;
  }
  const died = deadly.died();
  if (died === null) return null;
  // As the sweeper would find it: nobody renews its lease.
  await db.query("UPDATE control.run SET lease_until = now() WHERE id = $1", [id]);
  await execute(ground, id, plain);
  const run = (await readRun(db, id))!;
  if (!isFinal(run.status)) throw new Error(`${id} is ${run.status} after ${JSON.stringify(died)}`);
  return { ...died, ended: run.status, outcome: run.outcome, effects: await scene.effects() };
}

/** Where an executor dies, for a successor with other runbooks to go on. */
export interface Handover extends Given {
  readonly after: Moment;
  readonly step: string;
  /** What each executor after the first knows, in their order; all but the last die after they have begun. */
  readonly successors: readonly RunbookRegistry[];
}

/** The run as its last executor has left it. */
export async function handOver(
  ground: RunbookGround,
  runbook: string,
  { after, step, successors, ...given }: Handover,
): Promise<Rehearsed> {
  const { db } = ground;
  const before = await fingerprints(db);
  const id = await ask(ground, runbook, given);
  const dieAt = async (registry: RunbookRegistry, at: number, steps?: readonly string[]) => {
    const deadly = dyingAt(at, steps);
    const other = { ...given.other, wrapRecorder: deadly.wrap };
    await execute({ ...ground, registry }, id, { ...given, other }).catch((thrown) => {
      if (deadly.died() === null) throw thrown;
    });
    if (deadly.died() === null) throw new Error(`${id} never came to that moment`);
    await db.query("UPDATE control.run SET lease_until = now() WHERE id = $1", [id]);
  };
  // A step without programs passes intent, effect and result.
  await dieAt(ground.registry, ["intent", "effect", "result"].indexOf(after) + 1, [step]);
  for (const registry of successors.slice(0, -1)) await dieAt(registry, 1);
  await execute({ ...ground, registry: successors.at(-1)! }, id, given);
  return conclude(db, id, before);
}

/** A recorder that writes until that moment, and nothing after it. What plans and looks changes nothing. */
function dyingAt(at: number, steps: readonly string[] | undefined) {
  let moment = 0;
  let died: Pick<CrashPoint, "after" | "phase" | "step"> | null = null;
  const pass = (after: Moment, step: StepKey): void => {
    if (step.phase === "plan" || (step.phase === "verify" && after !== "intent")) return;
    if (steps && !steps.includes(step.name)) return;
    moment += 1;
    if (moment !== at) return;
    died = { after, phase: step.phase, step: step.name };
    throw KILLED;
  };
  const alive = () => {
    if (died !== null) throw KILLED;
  };
  let current: StepKey = { phase: "plan", ordinal: 0, name: "plan" };
  const wrap = (recorder: Recorder): Recorder => ({
    ...recorder,
    keepPlan: async (plan) => {
      alive();
      await recorder.keepPlan(plan);
    },
    begin: async (step) => {
      alive();
      await recorder.begin(step);
      current = step;
      pass("intent", step);
    },
    processStarted: async (step, program, group) => {
      alive();
      await recorder.processStarted(step, program, group);
      pass("process-started", step);
    },
    processEnded: async (group, endedBy) => {
      alive();
      pass("process-ended", current);
      await recorder.processEnded(group, endedBy);
    },
    finish: async (step, ending) => {
      alive();
      pass("effect", step);
      await recorder.finish(step, ending);
      pass("result", step);
    },
  });
  return { wrap, died: () => died as Pick<CrashPoint, "after" | "phase" | "step"> | null };
}

export interface ExpectedCommand {
  readonly argv: readonly string[];
  readonly stdout?: string;
  readonly exitCode?: number;
}

/** Programs by their exact arguments, in order; another one, or one too many, fails the run. */
export function expectedShell(commands: readonly ExpectedCommand[]): Shell & { unmet(): string[] } {
  const left = [...commands];
  return {
    unmet: () => left.map(({ argv }) => argv.join(" ")),
    run: async (argv): Promise<ShellResult> => {
      const expected = left.shift();
      if (JSON.stringify(expected?.argv) !== JSON.stringify(argv))
        throw fault.critical(
          "UNEXPECTED_COMMAND",
          `found ${argv.join(" ")}, expected ${expected?.argv.join(" ") ?? "no command"}`,
        );
      const { stdout = "", exitCode = 0 } = expected!;
      const rest = { signal: null, stderr: "", droppedBytes: 0, durationMs: 1 };
      return { ...rest, exitCode, endedBy: "exit", stdout };
    },
    lines: () => {
      throw new Error("runbooks do not stream");
    },
  };
}
