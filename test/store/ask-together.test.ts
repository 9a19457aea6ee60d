import { describe, expect, it } from "vitest";
import { ask } from "../../src/store/ask-together.js";
import { type Database, type Sql, toDatabaseFault } from "../../src/store/database.js";
import { withDatabase } from "../support/database.js";

const ONE = { name: "one", sql: "(SELECT 1)" };
const LIST = { name: "list", sql: "(SELECT json_agg(n) FROM generate_series(1, 3) n)" };
const BROKEN = { name: "broken", sql: "(SELECT n FROM no_such_table)" };

/** The texts that were sent. */
function spyOn(db: Database): { sql: Sql; texts: string[] } {
  const texts: string[] = [];
  const query: Sql["query"] = (text, values, name) => {
    texts.push(text);
    return db.query(text, values, name);
  };
  return { sql: { query }, texts };
}

describe("questions to a database", () => {
  it("of one turn of the loop are one statement, and each gets its own answer", () =>
    withDatabase(async (db) => {
      const { sql, texts } = spyOn(db);
      for (let round = 0; round < 2; round++)
        expect(await Promise.all([ask(sql, ONE), ask(sql, LIST), ask(sql, ONE)])).toEqual([
          1,
          [1, 2, 3],
          1,
        ]);
      expect(texts).toHaveLength(2);
      expect(await ask(sql, LIST)).toEqual([1, 2, 3]);
      expect(texts).toHaveLength(3);
    }));

  it("do not suffer from one that cannot be answered", () =>
    withDatabase(async (db) => {
      const asked = [ask(db, ONE), ask(db, BROKEN), ask(db, LIST)];
      const [one, broken, list] = await Promise.allSettled<unknown>(asked);
      expect(one).toMatchObject({ value: 1 });
      expect(list).toMatchObject({ value: [1, 2, 3] });
      expect(broken).toMatchObject({ status: "rejected", reason: { code: "DATABASE_ERROR" } });
    }));

  it("all hear that nobody answers, and those of another database do not", () =>
    withDatabase(async (db) => {
      let sent = 0;
      const away: Sql = {
        query: () => {
          sent += 1;
          return Promise.reject(toDatabaseFault(new Error("Connection terminated")));
        },
      };
      const asked = [ask(away, ONE), ask(away, LIST), ask(db, ONE)];
      const outcomes = await Promise.allSettled<unknown>(asked);
      expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
      expect(sent).toBe(1);
    }));
});
