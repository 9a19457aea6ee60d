/** What an operator's psql is to the server: a plain connection of its own, simple statements, each committed at once. */
import pg from "pg";
import { createTestDatabase } from "./database.js";

/** Runs a statement as pasted; several in one text too (then the rows are the last one's). */
export type Psql = (statement: string) => Promise<Record<string, unknown>[]>;

export async function withPsql(url: string, work: (psql: Psql) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: "psql" });
  client.on("error", () => {
    // A session that was ended from outside: its own statement has said so already.
  });
  await client.connect();
  try {
    await work(async (statement) => {
      const result = await client.query(statement);
      return [result].flat().at(-1)?.rows ?? [];
    });
  } finally {
    await client.end();
  }
}

/** A migrated database with a psql connected to it. */
export async function onHandbookDatabase(
  work: (psql: Psql, url: string) => Promise<void>,
): Promise<void> {
  const { url, drop } = await createTestDatabase();
  let failed = true;
  try {
    await withPsql(url, (psql) => work(psql, url));
    failed = false;
  } finally {
    await drop().catch((error: unknown) => {
      if (!failed) throw error;
    });
  }
}
