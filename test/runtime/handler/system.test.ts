/** alert, export and audit on a real database and real files; gc and maintenance have files of their own. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
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
  run(kind: string, payload?: JsonObject, signal?: AbortSignal): Promise<unknown>;
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
      const run: Setup["run"] = async (kind, payload = {}, signal) =>
        handlers
          .get(kind)!
          .run(makeContext({ kind, payload, seq: 7, ...(signal ? { signal } : {}) }));
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

interface Exported {
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

describe("export", () => {
  it("writes every row as a line, with count, size and digest of the file", () =>
    withSystem(async ({ db, exportsDir, run }) => {
      await db.query(
        `INSERT INTO events (event_type, payload) SELECT 'push', jsonb_build_object('n', n, 'text', E'a\nb')
         FROM generate_series(1, 2500) n`,
      );
      const done = (await run("export", { entity: "events" })) as Exported;
      const bytes = readFileSync(done.file);
      expect(done).toEqual({
        entity: "events",
        file: join(exportsDir, "events-job-7.ndjson.gz"),
        rows: 2_500,
        bytes: bytes.length,
        sha256: createHash("sha256").update(bytes).digest("hex"),
      });
      const lines = gunzipSync(bytes).toString().trimEnd().split("\n");
      expect(lines).toHaveLength(2_500);
      expect(JSON.parse(lines[2_499]!)).toMatchObject({ payload: { n: 2_500, text: "a\nb" } });
    }));

  it("writes an empty file for an empty table, and the hashes of the audit log as hex", () =>
    withSystem(async ({ db, run }) => {
      await appendAudit(db, { actor: "test", action: "thing.done", target: "thing" });
      expect(await run("export", { entity: "scores" })).toMatchObject({ rows: 0 });
      const { file } = (await run("export", { entity: "audit" })) as Exported;
      const [line] = gunzipSync(readFileSync(file)).toString().split("\n");
      expect(JSON.parse(line!)).toMatchObject({
        seq: 1,
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    }));

  it("leaves nothing behind when it is stopped", () =>
    withSystem(async ({ db, exportsDir, run }) => {
      await db.query("INSERT INTO events (event_type) SELECT 'push' FROM generate_series(1, 2000)");
      await expect(run("export", { entity: "events" }, AbortSignal.abort())).rejects.toThrow();
      expect(readdirSync(exportsDir)).toEqual([]);
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
