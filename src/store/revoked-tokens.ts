/** Tokens that must not be believed any more, kept until they would have ended anyway. */
import type { Sql } from "./database.js";

export interface Revocation {
  /** The id in the token (`jti`, RFC 7519 4.1.7). */
  readonly tokenId: string;
  readonly by: string;
  readonly reason: string;
  /** When the token has ended by itself at the latest. */
  readonly until: Date;
}

/** False when it was taken back already: the first reason stands. */
export async function revokeToken(sql: Sql, revocation: Revocation): Promise<boolean> {
  const { tokenId, by, reason, until } = revocation;
  const { rowCount } = await sql.query(
    `WITH added AS (
       INSERT INTO control.revoked_token (jti, revoked_by, reason, until) VALUES ($1, $2, $3, $4)
       ON CONFLICT (jti) DO NOTHING RETURNING jti, until
     )
     SELECT control.audit_append($2, 'token.revoked', 'token:' || jti,
       jsonb_build_object('reason', $3::text, 'until', until)) FROM added`,
    [tokenId, by, reason, until],
  );
  return rowCount === 1;
}

/** Ids of all that are taken back and have not ended. */
export async function readRevokedTokens(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ jti: string }>(
    "SELECT jti FROM control.revoked_token WHERE until > now()",
  );
  return rows.map(({ jti }) => jti);
}

/** When a token ends, as the audit of its issue says; null where that was not recorded. */
export async function readTokenEnd(sql: Sql, tokenId: string): Promise<Date | null> {
  const { rows } = await sql.query<{ endsAt: Date }>(
    `SELECT (details->>'ends_at')::timestamptz AS "endsAt" FROM public.audit_log
     WHERE target = 'token:' || $1 AND action = 'token.issued' ORDER BY created_at DESC, seq DESC LIMIT 1`,
    [tokenId],
  );
  return rows[0]?.endsAt ?? null;
}
