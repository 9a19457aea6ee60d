/** The silences of silences.yaml, laid into the table that the API's stand in: one place to ask. */
import { gitSilenceId } from "../alert/silence.js";
import type { SilencePolicy } from "../policy/monitoring.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { factsOf } from "./silences.js";

/** Whoever ends one by hand is somebody else: theirs stays ended. */
const LAID_BY = "policy:silences.yaml";

export interface Laid {
  /** Names of those that are new or changed, and of those that left the file. */
  readonly laid: readonly string[];
  readonly ended: readonly string[];
}

/** In one transaction. The same again changes nothing; one that a person ended stays ended. */
export async function layGitSilences(
  tx: Sql,
  system: string,
  wanted: readonly SilencePolicy[],
  now: Date,
): Promise<Laid> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('control.silence'))");
  const ids = new Map(wanted.map((one) => [gitSilenceId(system, one.name, one.starts), one]));
  const ended = await endOthers(tx, [...ids.keys()], now);
  const laid: string[] = [];
  for (const [id, silence] of ids) if (await lay(tx, id, silence, now)) laid.push(silence.name);
  return { laid, ended };
}

/** True when it was new or had changed. One that is over before it was ever laid hides nothing any more. */
async function lay(tx: Sql, id: string, silence: SilencePolicy, now: Date): Promise<boolean> {
  const { name, starts, ends, owner, reason, matchers, silencesPages } = silence;
  const { rows } = await tx.query<{ isNew: boolean }>(
    `INSERT INTO control.silence AS s
       (id, source, name, matchers, starts_at, ends_at, created_by, comment, silences_pages, created_at, updated_at)
     SELECT $1::uuid, 'git', $2, $3::jsonb, $4::timestamptz, $5::timestamptz, $6, $7, $8::boolean, $9::timestamptz, $9
     WHERE $5::timestamptz > $9::timestamptz OR EXISTS (SELECT FROM control.silence WHERE id = $1::uuid)
     ON CONFLICT (id) DO UPDATE SET matchers = excluded.matchers, starts_at = excluded.starts_at,
       ends_at = excluded.ends_at, created_by = excluded.created_by, comment = excluded.comment,
       silences_pages = excluded.silences_pages, updated_at = excluded.updated_at, ended_by = NULL
     WHERE (s.ended_by IS NULL OR s.ended_by = $10)
       AND (s.matchers, s.starts_at, s.ends_at, s.created_by, s.comment, s.silences_pages)
         IS DISTINCT FROM (excluded.matchers, excluded.starts_at, excluded.ends_at, excluded.created_by,
           excluded.comment, excluded.silences_pages)
     RETURNING xmax = 0 AS "isNew"`,
    [id, name, JSON.stringify(matchers), starts, ends, owner, reason, silencesPages, now, LAID_BY],
  );
  const [row] = rows;
  if (!row) return false;
  await appendAudit(tx, {
    ...{ actor: LAID_BY, target: `silence:${id}` },
    action: row.isNew ? "silence.created" : "silence.changed",
    details: {
      name,
      ...factsOf({
        ...{ matchers, silencesPages, createdBy: owner, comment: reason },
        ...{ startsAt: new Date(starts), endsAt: new Date(ends) },
      }),
    },
  });
  return true;
}

async function endOthers(tx: Sql, ids: readonly string[], now: Date): Promise<string[]> {
  const { rows } = await tx.query<{ id: string; name: string }>(
    `UPDATE control.silence SET starts_at = least(starts_at, $2), ends_at = $2, updated_at = $2, ended_by = $3
     WHERE source = 'git' AND ends_at > $2 AND id <> ALL ($1::uuid[]) RETURNING id, name`,
    [ids, now, LAID_BY],
  );
  for (const { id, name } of rows)
    await appendAudit(tx, {
      ...{ actor: LAID_BY, action: "silence.ended", target: `silence:${id}` },
      details: { name },
    });
  return rows.map(({ name }) => name);
}
