/**
 * Questions whose answer is one value, put to a database in the same turn of the loop, go out as one statement: works
 * that wake together ask together. An idle process sends little else, and each round trip costs it the same.
 */
import { isDatabaseAway, type Sql } from "./database.js";

/** Without parameters: each combination is one text, which the server keeps prepared. */
export interface Question<Answer> {
  /** A key of its own, `workers.living`; the same name is the same SQL. */
  readonly name: string;
  /** An expression with one value: a subquery in brackets, or EXISTS. Its time is that of the statement: `now()`. */
  readonly sql: string;
  /** Only for the type: nothing reads it. */
  readonly answers?: Answer;
}

interface Asked {
  readonly question: Question<unknown>;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** By what is asked: those that wait for the end of this turn. */
const waiting = new WeakMap<Sql, Asked[]>();

/** Not in a transaction, whose statements have an order. Throws as `query` does. */
export function ask<Answer>(db: Sql, question: Question<Answer>): Promise<Answer> {
  return new Promise<unknown>((resolve, reject) => {
    const others = waiting.get(db);
    if (others) others.push({ question, resolve, reject });
    else {
      waiting.set(db, [{ question, resolve, reject }]);
      setImmediate(() => void send(db));
    }
  }) as Promise<Answer>;
}

/** Rows of a SELECT in its order, of columns that JSON can hold: a date would come as a text. */
export function askRows<Row>(db: Sql, name: string, select: string): Promise<readonly Row[]> {
  const sql = `(SELECT coalesce(json_agg(asked), '[]') FROM (${select}) AS asked)`;
  return ask<readonly Row[]>(db, { name, sql });
}

/** Never rejects: each who asked hears it. */
async function send(db: Sql): Promise<void> {
  const asked = waiting.get(db) ?? [];
  waiting.delete(db);
  try {
    const answers = await fetchAnswers(db, asked);
    for (const { question, resolve } of asked) resolve(answers[question.name]);
  } catch (error) {
    // One that the server cannot answer must not silence the others.
    if (asked.length > 1 && !isDatabaseAway(error))
      await Promise.all(asked.map((one) => askAlone(db, one)));
    else for (const { reject } of asked) reject(error);
  }
}

async function askAlone(db: Sql, { question, resolve, reject }: Asked): Promise<void> {
  try {
    resolve((await fetchAnswers(db, [{ question, resolve, reject }]))[question.name]);
  } catch (error) {
    reject(error);
  }
}

async function fetchAnswers(
  db: Sql,
  asked: readonly Asked[],
): Promise<Readonly<Record<string, unknown>>> {
  const { text, name } = statementOf(
    new Map(asked.map(({ question: { name, sql } }) => [name, sql])),
  );
  const { rows } = await db.query<Record<string, unknown>>(text, [], name);
  return rows[0]!;
}

interface Statement {
  readonly text: string;
  readonly name: string;
}

/** Works have few intervals, so there are few combinations; if there should be more, the rest are not kept. */
const KEPT_MAX = 100;
const statements = new Map<string, Statement>();

function statementOf(questions: ReadonlyMap<string, string>): { text: string; name?: string } {
  const key = [...questions.keys()].sort().join(" ");
  const known = statements.get(key);
  if (known) return known;
  const columns = [...questions].map(([name, sql]) => `${sql} AS "${name}"`);
  const text = `SELECT ${columns.join(",\n  ")}`;
  if (statements.size >= KEPT_MAX) return { text };
  const made = { text, name: `ask-${statements.size}` };
  statements.set(key, made);
  return made;
}
