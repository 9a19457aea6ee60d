/** A part of a transaction that may fail by itself. */
import type { Sql } from "./database.js";

/** When `work` throws, what it wrote is undone, the rest of the transaction stands, and the error goes on. */
export async function withSavepoint<T>(tx: Sql, work: () => Promise<T>): Promise<T> {
  await tx.query("SAVEPOINT part");
  try {
    const value = await work();
    await tx.query("RELEASE SAVEPOINT part");
    return value;
  } catch (error) {
    await tx.query("ROLLBACK TO SAVEPOINT part");
    throw error;
  }
}
