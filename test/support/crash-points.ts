/** A process that dies before a chosen statement: its session is ended by the server, as after kill -9, and it says nothing more. */
import type { Database, Sql } from "../../src/store/database.js";

export class Killed extends Error {}

export interface Mortal extends Database {
  readonly isDead: boolean;
  /** Dies instead of sending its `statement`th from now on; BEGIN and COMMIT count too. 0: the next; null: it lives. */
  dieBefore(statement: number | null): void;
}

export function mortalDatabase(db: Database): Mortal {
  let left = Number.POSITIVE_INFINITY;
  let isDead = false;
  const step = async <T>(work: () => Promise<T>, dying: () => Promise<unknown>): Promise<T> => {
    if (left === 0 && !isDead) {
      isDead = true;
      await dying();
    }
    if (isDead) throw new Killed("this process was killed");
    left -= 1;
    return work();
  };
  const nothing = async () => {};
  const transaction = <T>(work: (tx: Sql) => Promise<T>): Promise<T> =>
    step(
      () =>
        db.transaction(async (tx) => {
          // The server takes back what it was told, since the session is gone.
          const end = () =>
            tx.query("SELECT pg_terminate_backend(pg_backend_pid())").catch(nothing);
          const query: Sql["query"] = (text, values) => step(() => tx.query(text, values), end);
          const done = await work({ query });
          return step(async () => done, end);
        }),
      nothing,
    );
  return {
    query: (text, values, name) => step(() => db.query(text, values, name), nothing),
    transaction,
    connect: (work) => db.connect(work),
    close: nothing,
    dieBefore: (statement) => {
      left = statement ?? Number.POSITIVE_INFINITY;
    },
    get isDead() {
      return isDead;
    },
  };
}
