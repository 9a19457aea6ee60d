/** Every move of a question to people, as the code makes it: beside its run, as that stands at the time. */
import type { Access } from "../../src/policy/policy.js";
import type { VoteReason } from "../../src/runbook/approval.js";
import { expireApprovals } from "../../src/store/approval-requests.js";
import { castVote } from "../../src/store/approvals.js";
import type { Database } from "../../src/store/database.js";
import { cancelRun } from "../../src/store/run-endings.js";
import { parkRun } from "../../src/store/run-parking.js";
import { readRun } from "../../src/store/runs.js";
import { makePerson } from "../support/make-policy.js";
import type { Machine } from "./state-machines.js";

const RULE = { needed: 1, role: "operator", team: null, withinMs: 60_000 } as const;
const access: Access = {
  people: [makePerson("bob", { slack: ["T1/UBOB"] })],
  ...{ groups: {}, rules: [], serviceRoles: { pagerduty: "operator", policy: "operator" } },
};

/** What the run is while its question stands so. */
const RUN_OF: Readonly<Record<string, string>> = {
  ...{ "–": "running", open: "queued", approved: "running" },
  ...{ denied: "cancelled", expired: "cancelled", voided: "cancelled", cancelled: "cancelled" },
};

async function put(db: Database, state: string): Promise<number> {
  const { rows } = await db.query<{ seq: number }>(
    `INSERT INTO control.run (runbook, actor, role, door, content_hash, status)
     VALUES ('fix', 'ann', 'operator', 'cli', 'h', 'running') RETURNING seq`,
  );
  const { seq } = rows[0]!;
  if (state === "–") return seq;
  await ask(db, seq);
  await db.query(
    "UPDATE control.approval_request SET outcome = nullif($2, 'open') WHERE run_seq = $1",
    [seq, state],
  );
  await db.query(
    `UPDATE control.run SET status = $2, waiting_for = CASE WHEN $2 = 'queued' THEN 'approval' END,
       ended_at = CASE WHEN $2 = 'cancelled' THEN now() END WHERE seq = $1`,
    [seq, RUN_OF[state]],
  );
  return seq;
}

async function ask(db: Database, seq: number): Promise<boolean> {
  const run = (await readRun(db, `run-${seq}`))!;
  const asked = { rule: RULE, boundHash: "h" };
  return (await db.transaction((tx) => parkRun(tx, run, asked))) !== null;
}

const vote =
  (decision: "approve" | "deny", reason: VoteReason, needed = 1) =>
  async (db: Database, seq: number): Promise<boolean> => {
    await db.query("UPDATE control.approval_request SET needed = $2 WHERE run_seq = $1", [
      ...[seq, needed],
    ]);
    const cast = await castVote(db, {
      ...{ claim: { door: "slack", team: "T1", user: "UBOB" }, runId: `run-${seq}` },
      ...{ nonce: null, boundHash: null, decision, access },
    });
    return cast.reason === reason;
  };

export const approval: Machine = {
  table: "control.approval_request",
  keyColumn: "run_seq",
  stateColumn: "outcome",
  without: "open",
  nothing: true,
  put,
  moves: {
    ask: [ask],
    count: [vote("approve", "counted", 2)],
    approve: [vote("approve", "approved")],
    deny: [vote("deny", "denied")],
    expire: [
      async (db, seq) => {
        await db.query(
          "UPDATE control.approval_request SET expires_at = now() WHERE run_seq = $1",
          [seq],
        );
        return (await db.transaction(expireApprovals)).includes(`run-${seq}`);
      },
    ],
    cancel: [
      async (db, seq, from) => {
        const by = { actor: "house", reason: "to see whether it moves" };
        await db.transaction((tx) => cancelRun(tx, { id: `run-${seq}`, ...by }));
        return from === "open";
      },
    ],
  },
};
