/** Every move of every machine as the code makes it: a row in a state, the call, and whether it moved. */
import type { HeldJob } from "../../src/job/job.js";
import type { StepKey, StepStatus } from "../../src/runbook/run.js";
import { refuseRun, releaseRun } from "../../src/store/approval-requests.js";
import {
  changeEnded,
  changeFailed,
  changeOpened,
  noteChange,
} from "../../src/store/config-changes.js";
import type { Database } from "../../src/store/database.js";
import { markDriftChange, withdrawDriftChange } from "../../src/store/drift-changes.js";
import { settleInbound } from "../../src/store/inbound.js";
import { cancelJob, retryJob } from "../../src/store/job-actions.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJob, failJob, releaseJob, rescheduleJob } from "../../src/store/job-settle.js";
import { readJob } from "../../src/store/jobs.js";
import { markNoticeDead, markNoticeFailed, markNoticeSent } from "../../src/store/notices.js";
import {
  type BundleStatus,
  releaseBundle,
  setBundleStatus,
} from "../../src/store/policy-bundles.js";
import { cancelRun, finishRun, stallAbandonedRuns } from "../../src/store/run-endings.js";
import { beatRun, letGoRun, startRun, sweepRuns } from "../../src/store/run-leases.js";
import { parkRun } from "../../src/store/run-parking.js";
import { beginStep, finishStep } from "../../src/store/run-steps.js";
import { readRun } from "../../src/store/runs.js";
import { markWorker, registerWorker } from "../../src/store/workers.js";
import { approval } from "./approval-machine.js";
import { incident } from "./incident-machine.js";

/** True when it moved, false when it was refused, null when the call made another move than the one meant. */
type Try = (db: Database, key: number, from: string) => Promise<boolean | null>;

export interface Machine {
  readonly table: string;
  readonly keyColumn: string;
  /** `status`, where nothing else is said. */
  readonly stateColumn?: string;
  /** Besides those of the check constraint: where the column is empty. */
  readonly without?: string;
  /** And `–` for a row that is not there yet. */
  readonly nothing?: boolean;
  put(db: Database, status: string): Promise<number>;
  /** More than one way where a move has several ends. */
  readonly moves: Readonly<Record<string, readonly Try[]>>;
}

async function insert(db: Database, text: string, values: readonly unknown[]): Promise<number> {
  const { rows } = await db.query<{ key: number }>(`${text} AS key`, values);
  return rows[0]!.key;
}

async function holdOf(db: Database, seq: number): Promise<HeldJob> {
  const job = (await readJob(db, seq))!;
  const { rows } = await db.query<{ fence: number }>("SELECT fence FROM jobs WHERE seq = $1", [
    seq,
  ]);
  return { ...job, attempt: job.attempts, fence: rows[0]!.fence, crashCount: 0 };
}

const by = { actor: "house", reason: "to see whether it moves" };

const job: Machine = {
  table: "public.jobs",
  keyColumn: "seq",
  // A kind of its own, so that a claim can mean this job alone.
  put: (db, status) =>
    insert(
      db,
      `INSERT INTO jobs (job_type, status) VALUES ('kind-' || gen_random_uuid(), $1) RETURNING seq`,
      [status],
    ),
  moves: {
    claim: [
      async (db, seq) => {
        const { kind } = (await readJob(db, seq))!;
        const claimed = await claimJobs(db, {
          workerId: "general-worker-1",
          kinds: [{ kind, free: 1 }],
          max: 1,
        });
        return claimed.length === 1;
      },
    ],
    complete: [async (db, seq) => completeJob(db, await holdOf(db, seq), null)],
    fail: [async (db, seq) => failJob(db, await holdOf(db, seq), { status: "failed", error: "E" })],
    quarantine: [
      async (db, seq) => failJob(db, await holdOf(db, seq), { status: "quarantined", error: "E" }),
    ],
    reschedule: [
      async (db, seq) =>
        rescheduleJob(db, await holdOf(db, seq), {
          delayMs: 0,
          error: "E",
          burnAttempt: true,
        }),
    ],
    release: [async (db, seq) => releaseJob(db, await holdOf(db, seq))],
    cancel: [async (db, seq) => (await cancelJob(db, { seq, ...by })).outcome === "cancelled"],
    requeue: [async (db, seq) => (await retryJob(db, { seq, ...by })).outcome === "retried"],
    reset: [
      async (db, seq, from) => {
        const { outcome } = await retryJob(db, { seq, ...by, force: true });
        if (outcome !== "retried") return false;
        return from === "running" ? true : null;
      },
    ],
  },
};

const putRun = async (db: Database, status: string) => {
  const ended = await job.put(db, "completed");
  return insert(
    db,
    `INSERT INTO control.run (runbook, actor, role, door, content_hash, status, job_seq)
     VALUES ('fix', 'ann', 'operator', 'cli', 'h', $1, $2) RETURNING seq`,
    [status, ended],
  );
};
const runOf = async (db: Database, seq: number) => (await readRun(db, `run-${seq}`))!;
const finishAs =
  (status: "succeeded" | "failed" | "stalled" | "cancelled"): Try =>
  async (db, seq) => {
    const run = await runOf(db, seq);
    return db.transaction((tx) => finishRun(tx, run, { status, outcome: "so", output: null }));
  };

/** As it must stand for the move to be meant at all; the state itself stays. */
const given = (db: Database, seq: number, columns: string) =>
  db.query(`UPDATE control.run SET ${columns} WHERE seq = $1`, [seq]);
const LIVING_LEASE = "lease_until = now() + interval '1 minute'";
const ENDED_LEASE = "lease_until = now() - interval '1 minute'";
const WAITING = "waiting_for = CASE WHEN status = 'queued' THEN 'approval' END";
const RULE = { needed: 1, role: "admin", team: null, withinMs: 60_000 } as const;

const run: Machine = {
  table: "control.run",
  keyColumn: "seq",
  put: putRun,
  moves: {
    start: [async (db, seq) => (await startRun(db, `run-${seq}`)) !== null],
    beat: [async (db, seq) => (await beatRun(db, await runOf(db, seq), 0)).state === "alive"],
    "let-go": [
      async (db, seq) => {
        await given(db, seq, LIVING_LEASE);
        await letGoRun(db, await runOf(db, seq));
        const { rowCount } = await db.query(
          "SELECT FROM control.run WHERE seq = $1 AND lease_until <= clock_timestamp()",
          [seq],
        );
        return rowCount === 1;
      },
    ],
    park: [
      async (db, seq) => {
        const asked = { rule: RULE, boundHash: "h" };
        const held = await runOf(db, seq);
        return (await db.transaction((tx) => parkRun(tx, held, asked))) !== null;
      },
    ],
    release: [
      async (db, seq) => {
        await given(db, seq, WAITING);
        await releaseRun(db, await runOf(db, seq));
        const { waitingFor, jobSeq } = await runOf(db, seq);
        return waitingFor === null && (await readJob(db, jobSeq!))!.status === "pending";
      },
    ],
    refuse: [
      async (db, seq, from) => {
        await given(db, seq, WAITING);
        await refuseRun(db, await runOf(db, seq), "nobody agreed");
        return (await runOf(db, seq)).status !== from;
      },
    ],
    requeue: [
      async (db, seq) => {
        const living = await job.put(db, "pending");
        await given(db, seq, `${ENDED_LEASE}, job_seq = ${living}`);
        return (await db.transaction((tx) => sweepRuns(tx))).some(({ id }) => id === `run-${seq}`);
      },
    ],
    finish: [finishAs("succeeded"), finishAs("failed"), finishAs("stalled"), finishAs("cancelled")],
    cancel: [
      async (db, seq) =>
        (await db.transaction((tx) => cancelRun(tx, { id: `run-${seq}`, ...by }))) !== null,
    ],
    "ask-cancel": [
      async (db, seq, from) => {
        await given(db, seq, LIVING_LEASE);
        const asked = await db.transaction((tx) => cancelRun(tx, { id: `run-${seq}`, ...by }));
        return from === "queued" ? null : asked === "asked";
      },
    ],
    stall: [
      (db, seq) =>
        db.transaction(async (tx) => (await stallAbandonedRuns(tx)).includes(`run-${seq}`)),
    ],
    "give-up": [
      async (db, seq) => {
        await given(db, seq, ENDED_LEASE);
        return (await db.transaction((tx) => sweepRuns(tx))).some(({ id }) => id === `run-${seq}`);
      },
    ],
  },
};

const stepIn = (phase: StepKey["phase"]): StepKey => ({ phase, ordinal: 0, name: "do it" });

/** Both phases get the same row: one acts, one only looks. */
async function putStep(db: Database, status: string): Promise<number> {
  const seq = await putRun(db, "running");
  for (const phase of status === "–" ? [] : ["act", "verify"]) {
    await db.query(
      `INSERT INTO control.run_step (run_seq, phase, ordinal, name, status) VALUES ($1, $2, 0, 'do it', $3)`,
      [seq, phase, status],
    );
  }
  return seq;
}

const beginIn =
  (phase: StepKey["phase"]): Try =>
  async (db, seq) => {
    const held = await runOf(db, seq);
    return beginStep(db, held, stepIn(phase)).then(
      () => true,
      () => false,
    );
  };
const endStep =
  (status: Exclude<StepStatus, "running">): Try =>
  async (db, seq) => {
    const held = await runOf(db, seq);
    return finishStep(db, held, stepIn("act"), { status, output: "" }).then(
      () => true,
      () => false,
    );
  };

const step: Machine = {
  table: "control.run_step",
  keyColumn: "phase = 'act' AND run_seq",
  nothing: true,
  put: putStep,
  moves: {
    begin: [beginIn("act")],
    finish: [endStep("succeeded"), endStep("failed"), endStep("indeterminate")],
  },
};

const look: Machine = {
  ...step,
  keyColumn: "phase = 'verify' AND run_seq",
  moves: {
    "look-again": [
      async (db, seq, from) => {
        const moved = await beginIn("verify")(db, seq, from);
        return from === "–" || from === "running" ? null : moved;
      },
    ],
  },
};

const noticeHas = async (db: Database, id: number, error: string) => {
  const { rowCount } = await db.query(
    "SELECT FROM control.notice WHERE id = $1 AND last_error = $2",
    [id, error],
  );
  return rowCount === 1;
};

const notice: Machine = {
  table: "control.notice",
  keyColumn: "id",
  put: (db, status) =>
    insert(
      db,
      `INSERT INTO control.notice (receiver, dedup_key, action, severity, source, message, reason, status)
       VALUES ('ops', 'k', 'trigger', 'sev3', 's', '{}', 'r', $1) RETURNING id`,
      [status],
    ),
  moves: {
    send: [(db, id) => markNoticeSent(db, id, { reference: null, at: new Date(0) })],
    fail: [
      async (db, id) => {
        await markNoticeFailed(db, id, { error: "tried", tried: true });
        return noticeHas(db, id, "tried");
      },
    ],
    bury: [
      async (db, id) => {
        await markNoticeDead(db, id, "buried");
        return noticeHas(db, id, "buried");
      },
    ],
  },
};

const markAs =
  (status: "draining" | "stopped" | "dead"): Try =>
  (db, number) =>
    markWorker(db, `general-worker-${number}`, status);

const worker: Machine = {
  table: "public.workers",
  keyColumn: "process_number",
  put: async (db, status) => {
    const made = { lane: "general", kinds: [], hostname: "h", pid: 1 } as const;
    const { id, processNumber } = await registerWorker(db, made);
    await db.query("UPDATE workers SET status = $2 WHERE id = $1", [id, status]);
    return processNumber;
  },
  moves: { drain: [markAs("draining")], stop: [markAs("stopped")], die: [markAs("dead")] },
};

const settleAs =
  (status: "handled" | "ignored" | "refused"): Try =>
  (db, id) =>
    settleInbound(db, id, { status, outcome: "so" });

const inbound: Machine = {
  table: "control.inbound",
  keyColumn: "id",
  put: (db, status) =>
    insert(
      db,
      `INSERT INTO control.inbound (source, delivery_id, event_type, body, status)
       VALUES ('slack', gen_random_uuid()::text, 'e', '{}', $1) RETURNING id`,
      [status],
    ),
  moves: { settle: [settleAs("handled"), settleAs("ignored"), settleAs("refused")] },
};

const bundleTo =
  (to: BundleStatus): Try =>
  (db, revision, from) =>
    db.transaction((tx) => setBundleStatus(tx, revision, from as BundleStatus, to));

const bundle: Machine = {
  table: "control.policy_bundle",
  keyColumn: "revision",
  put: (db, status) =>
    insert(
      db,
      `INSERT INTO control.policy_bundle (revision, digest, schema_version, envelope, source, status)
       SELECT coalesce(max(revision), 0) + 1, 'd', 1, '{}', 'api', $1 FROM control.policy_bundle RETURNING revision`,
      [status],
    ),
  moves: {
    wait: [bundleTo("waiting")],
    hold: [bundleTo("held")],
    try: [bundleTo("canary")],
    release: [
      (db, revision) =>
        db.transaction(async (tx) => {
          const { outcome } = await releaseBundle(tx, revision, "ann", "it is meant so");
          return outcome === "released";
        }),
    ],
    adopt: [bundleTo("adopted")],
    refuse: [bundleTo("refused")],
    supersede: [bundleTo("superseded")],
    "roll-back": [bundleTo("rolled-back")],
  },
};

/** By the section of docs/states.md that speaks of them; a section may need more than one. */
let changes = 0;
const urlOf = (key: number) => `https://github.com/acme/shop/pull/${key}`;

const change: Machine = {
  table: "control.config_change",
  keyColumn: "key",
  nothing: true,
  put: async (db, status) => {
    changes += 1;
    if (status === "–") return changes;
    await db.query(
      `INSERT INTO control.config_change (key, environment, path, value, reason, requested_by, status, url)
       VALUES ($1, 'production', 'retention', '{}', 'so', 'drift:look', $2, $3)`,
      [String(changes), status, urlOf(changes)],
    );
    return changes;
  },
  moves: {
    ask: [
      (db, key) =>
        noteChange(db, {
          ...{ key: String(key), environment: "production", values: {} },
          ...{ reason: "so", requestedBy: "ann" },
        }),
    ],
    open: [(db, key) => changeOpened(db, String(key), { number: key, url: urlOf(key) })],
    fail: [(db, key) => changeFailed(db, String(key), "so")],
    merge: [(db, key) => changeEnded(db, urlOf(key), "merged")],
    close: [(db, key) => changeEnded(db, urlOf(key), "closed")],
    mark: [(db, key) => markDriftChange(db, String(key), "gone")],
    withdraw: [(db, key) => withdrawDriftChange(db, String(key), "gone")],
  },
};

export const MACHINES: Readonly<Record<string, readonly Machine[]>> = {
  job: [job],
  run: [run],
  approval: [approval],
  incident: [incident],
  step: [step, look],
  notice: [notice],
  worker: [worker],
  inbound: [inbound],
  bundle: [bundle],
  change: [change],
};
