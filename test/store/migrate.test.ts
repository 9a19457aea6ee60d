import { expect, test } from "vitest";
import { withDatabase } from "../support/database.js";

test("the clone lists the five migrations of the handbook", () =>
  withDatabase(async (db) => {
    const { rows } = await db.query("SELECT id, name FROM migrations ORDER BY id");
    expect(rows.length).toBe(5);
    await db.query("INSERT INTO jobs (job_type, payload) VALUES ('index', '{}')");
    await db.query("UPDATE jobs SET status='cancelled'");
    expect((await db.query("SELECT * from audit_log")).rows.length).toBe(1);
  }));
