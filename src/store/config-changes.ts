/** Changes that were asked for through API, chat or command line, and the pull request that each has become. */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

export interface NewConfigChange {
  /** The same for the same wish about the same text. */
  readonly key: string;
  readonly environment: string;
  /** Paths inside the policy, each with the wanted value. */
  readonly values: JsonObject;
  readonly reason: string;
  readonly requestedBy: string;
}

export interface ConfigChange extends NewConfigChange {
  readonly status: "asked" | "open" | "merged" | "closed" | "failed";
  /** Of the pull request. */
  readonly number: number | null;
  readonly url: string | null;
  /** Why it failed. */
  readonly error: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = `key, environment, value AS "values", reason, requested_by AS "requestedBy", status, number, url, error,
  created_at AS "createdAt", updated_at AS "updatedAt"`;

/**
 * Before anything is done about it. Of a wish that is known, who asked first is kept.
 * False: its pull request is open.
 */
export async function noteChange(sql: Sql, change: NewConfigChange): Promise<boolean> {
  const { key, environment, values, reason, requestedBy } = change;
  const path = Object.keys(values).join(" ");
  const { rowCount } = await sql.query(
    `INSERT INTO control.config_change (key, environment, path, value, reason, requested_by)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (key) DO UPDATE SET status = 'asked', error = NULL, updated_at = now()
       WHERE config_change.status <> 'open'`,
    [key, environment, path, JSON.stringify(values), reason, requestedBy],
  );
  return rowCount > 0;
}

/** Also of one that is open: people may have closed its first pull request, and this is another. */
export async function changeOpened(
  sql: Sql,
  key: string,
  pullRequest: { readonly number: number; readonly url: string },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE control.config_change SET status = 'open', number = $2, url = $3, error = NULL, updated_at = now()
     WHERE key = $1 AND status IN ('asked', 'open', 'failed')`,
    [key, pullRequest.number, pullRequest.url],
  );
  return rowCount > 0;
}

/** One that is open already stays so: asking for it again has failed, not the change. */
export async function changeFailed(sql: Sql, key: string, error: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE control.config_change SET status = 'failed', error = $2, updated_at = now()
     WHERE key = $1 AND status = 'asked'`,
    [key, error],
  );
  return rowCount > 0;
}

/** What became of its pull request. False: it was none of ours, or is known already. */
export async function changeEnded(
  sql: Sql,
  url: string,
  status: "merged" | "closed",
): Promise<boolean> {
  const { rowCount } = await sql.query(
    "UPDATE control.config_change SET status = $2, updated_at = now() WHERE url = $1 AND status = 'open'",
    [url, status],
  );
  return rowCount > 0;
}

/** Those that wait for people, newest first. */
export async function listOpenChanges(sql: Sql, limit = 50): Promise<ConfigChange[]> {
  const { rows } = await sql.query<ConfigChange>(
    `SELECT ${COLUMNS} FROM control.config_change WHERE status = 'open'
     ORDER BY updated_at DESC, key LIMIT $1`,
    [limit],
  );
  return rows;
}
