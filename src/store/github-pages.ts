/** Pages of a listing as GitHub answered them: when it answers "not modified" (304) they are read here. */
import type { Json } from "../base/json.js";
import type { Sql } from "./database.js";

export interface StoredPage {
  readonly etag: string;
  /** What is needed of the answer. */
  readonly items: Json;
  /** How the next page is asked for; null: this was the last. */
  readonly next: string | null;
}

export async function findPage(sql: Sql, key: string): Promise<StoredPage | null> {
  const { rows } = await sql.query<StoredPage>(
    "SELECT etag, items, next_url AS next FROM control.github_page WHERE url = $1",
    [key],
  );
  return rows[0] ?? null;
}

export async function putPage(sql: Sql, key: string, page: StoredPage): Promise<void> {
  await sql.query(
    `INSERT INTO control.github_page (url, etag, items, next_url, fetched_at)
     VALUES ($1, $2, $3::jsonb, $4, now())
     ON CONFLICT (url) DO UPDATE SET etag = excluded.etag, items = excluded.items,
       next_url = excluded.next_url, fetched_at = excluded.fetched_at`,
    [key, page.etag, JSON.stringify(page.items), page.next],
  );
}

/** A listing that has become shorter leaves pages behind that nobody will ask for. */
export async function dropOtherPages(
  sql: Sql,
  prefix: string,
  keys: readonly string[],
): Promise<void> {
  await sql.query(
    "DELETE FROM control.github_page WHERE starts_with(url, $1) AND url <> ALL ($2::text[])",
    [prefix, keys],
  );
}
