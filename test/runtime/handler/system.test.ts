/** alert and audit on a real database; export, gc and maintenance have files of their own. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Delivery } from "../../../src/alert/port.js";
import { systemClock } from "../../../src/base/clock.js";
import type { JsonObject } from "../../../src/base/json.js";
import { createSystemHandlers } from "../../../src/runtime/handler/system.js";
import { createRuntimeNotify } from "../../../src/runtime/notify.js";
import { appendAudit } from "../../../src/store/audit.js";
import type { Database } from "../../../src/store/database.js";
import { withDatabase } from "../../support/database.js";
import { withFolder } from "../../support/git-repository.js";
import { makeContext } from "../../support/job-context.js";
import { makePolicy } from "../../support/make-policy.js";
import { makeShell } from "../../support/runbook-world.js";

const CARE = { ssl: false, environment: "test", shell: makeShell() };

interface Setup {
  readonly db: Database;
  readonly exportsDir: string;
  readonly sent: Delivery[];
  /** `seq`: of the job, default 7. */
  run(kind: string, payload?: JsonObject, signal?: AbortSignal, seq?: number): Promise<unknown>;
}

function withSystem(test: (setup: Setup) => Promise<void>): Promise<void> {
  return withFolder((folder) =>
    withDatabase(async (db, url) => {
      const exportsDir = join(folder, "exports");
      const sent: Delivery[] = [];
      const notify = async (delivery: Delivery) => {
        sent.push(delivery);
        return { reference: `ref-${sent.length}` };
      };
      const policy = () => makePolicy();
      const tell = createRuntimeNotify({ policy, now: () => new Date() });
      const made = createSystemHandlers({
        ...{ db, exportsDir, notify, policy, tell, clock: systemClock },
        care: { backupsDir: join(folder, "backups"), directUrl: url, ...CARE },
      });
      const handlers = new Map(made.map((handler) => [handler.kind, handler]));
      const run: Setup["run"] = async (kind, payload = {}, signal, seq = 7) =>
        handlers.get(kind)!.run(makeContext({ kind, payload, seq, ...(signal ? { signal } : {}) }));
      await test({ db, exportsDir, sent, run });
    }),
  );
}

describe("alert", () => {
  it("sends a test message to the operators, under the job's key", () =>
    withSystem(async ({ sent, run }) => {
      expect(await run("alert")).toEqual({ delivered: { ops: "ref-1" } });
      expect(sent).toEqual([
        expect.objectContaining({
          receiver: expect.objectContaining({ name: "ops" }),
          dedupKey: "algobrain/test/job-7",
          action: "trigger",
          severity: "sev4",
        }),
      ]);
    }));

  it("goes through ten times at once, each under a key of its own (HB-wrk-08)", () =>
    withSystem(async ({ sent, run }) => {
      const seqs = Array.from({ length: 10 }, (_, n) => n + 1);
      await Promise.all(seqs.map((seq) => run("alert", {}, undefined, seq)));
      const keys = sent.map(({ dedupKey }) => dedupKey).sort();
      expect(keys).toEqual(seqs.map((seq) => `algobrain/test/job-${seq}`).sort());
    }));

  it("goes to the receivers that were named, and refuses unknown ones before anything is sent", () =>
    withSystem(async ({ sent, run }) => {
      await run("alert", { title: "Drill", receivers: ["ops", "oncall"], severity: "sev1" });
      expect(sent.map(({ receiver, message }) => [receiver.name, message.title])).toEqual([
        ["ops", "Drill"],
        ["oncall", "Drill"],
      ]);
      await expect(run("alert", { receivers: ["ops", "oncal"] })).rejects.toMatchObject({
        kind: "data",
        code: "RECEIVER_UNKNOWN",
        hint: expect.stringContaining("oncall"),
      });
      expect(sent).toHaveLength(2);
    }));
});

describe("audit", () => {
  it("is content with sound data", () =>
    withSystem(async ({ db, run }) => {
      for (const target of ["a", "b"])
        await appendAudit(db, { actor: "test", action: "thing.done", target });
      expect(await run("audit")).toMatchObject({ audit_entries: 2, findings: [] });
    }));

  it("reports broken claims about the data as its result", () =>
    withSystem(async ({ db, run }) => {
      await db.query("INSERT INTO claims (identity_id, repo_id) VALUES ('nobody', 'r')");
      await db.query("INSERT INTO scores (repo_id, score) VALUES ('no-repo', 50)");
      expect(await run("audit")).toMatchObject({
        findings: [
          { invariant: "claim-has-identity", count: 1, examples: ["1"] },
          { invariant: "score-has-repo", count: 1, examples: ["1"] },
        ],
      });
    }));

  it("takes a changed entry for a critical failure", () =>
    withSystem(async ({ db, run }) => {
      for (const target of ["a", "b", "c"])
        await appendAudit(db, { actor: "test", action: "thing.done", target });
      await db.query("ALTER TABLE audit_log DISABLE TRIGGER ALL");
      await db.query("UPDATE audit_log SET actor = 'somebody else' WHERE seq = 2");
      await expect(run("audit")).rejects.toMatchObject({
        kind: "critical",
        code: "AUDIT_CHAIN_BROKEN",
        message: expect.stringContaining("from entry 2 on"),
      });
    }));
});
