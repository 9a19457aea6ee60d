/** What statements would do, without doing it. */
import type { Sql } from "./database.js";

/** Lets `work` write inside the transaction, and undoes all of it: its answer is that of the real thing. */
export async function previewed<T>(tx: Sql, work: () => Promise<T>): Promise<T> {
  await tx.query("SAVEPOINT preview");
  const value = await work();
  await tx.query("ROLLBACK TO SAVEPOINT preview");
  return value;
}
