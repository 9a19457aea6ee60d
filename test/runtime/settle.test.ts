/** What a job gave is written, however long the database cannot: and what it refuses does not end the process. */
import { describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import type { Database } from "../../src/store/database.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";
import { withWorker } from "./support/worker.js";

/** The server answers so while `condition` holds of a row that is written. */
async function refuse(db: Database, condition: string, sqlstate: string): Promise<void> {
  await db.query(
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '${sqlstate}'; END $$`,
  );
  await db.query(
    `CREATE TRIGGER refuse BEFORE UPDATE ON jobs FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION refuse()`,
  );
}

const job = { kind: "index", payload: {} };

describe("an outcome", () => {
  test("waits for a disk that is full, and it is told", () =>
    withDatabase(async (db, url) => {
      await refuse(db, "new.status = 'completed'", "53100");
      const handlers = [{ kind: "index", run: async () => ({ found: 7 }) }];
      await withWorker({ db, url }, { handlers }, async ({ seen, id }) => {
        const { seq } = await enqueueJob(db, job);
        expect(await seen("settle.failed")).toMatchObject({ worker_id: id });
        await db.query("DROP TRIGGER refuse ON jobs");
        await seen("job.completed");
        expect(await readJob(db, seq)).toMatchObject({ status: "completed", attempts: 1 });
      });
    }));

  test("of which the database refuses the text is written without it, by its own kind", () =>
    withDatabase(async (db, url) => {
      await refuse(db, "new.error LIKE '%unspeakable%'", "22021");
      const run = async () => {
        throw fault.data("BAD_INPUT", "unspeakable");
      };
      await withWorker({ db, url }, { handlers: [{ kind: "index", run }] }, async () => {
        const { seq } = await enqueueJob(db, job);
        const status = async () => (await readJob(db, seq))?.status === "quarantined";
        await until(status, "quarantined");
        const error = (await readJob(db, seq))?.error;
        expect(error).toContain("the database refused the text of this error");
        expect(error).toContain("BAD_INPUT");
      });
    }));
});
