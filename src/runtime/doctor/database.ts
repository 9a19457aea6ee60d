/** The database: does it answer, is it as new as this program, does its clock agree with ours, and may its user do the work. */
import type { Clock } from "../../base/clock.js";
import { formatDuration } from "../../base/duration.js";
import type { Database } from "../../store/database.js";
import { type DatabaseRights, readDatabaseRights } from "../../store/database-rights.js";
import { migrate } from "../../store/migrate.js";
import type { MigrationFiles } from "../../store/migration-files.js";
import { isRunRole, mayCreateRunRoles } from "../../store/run-role.js";
import { readServer } from "../../store/server.js";
import { bad, doubtful, type Examination, type Finding, good } from "./diagnose.js";

/** Leases and schedules go by the database's clock, tokens and alerts by this machine's. */
const CLOCK_TOLERANCE_MS = 2_000;

export interface DatabaseParts {
  readonly db: Database;
  readonly files: MigrationFiles;
  readonly clock: Clock;
  /** Several installations may work on it, so it is brought up to date on purpose. */
  readonly isShared: boolean;
}

export function databaseExaminations(parts: DatabaseParts): Examination[] {
  const { db, clock } = parts;
  const remedy = "is DATABASE_URL right, and is the server up?";
  const examineServer = async () => good(`PostgreSQL ${(await readServer(db)).version}`);
  return [
    { what: "database", examine: examineServer, remedy },
    { what: "migrations", examine: () => examineMigrations(parts), remedy },
    { what: "clock", examine: () => examineClock(db, clock), remedy },
    { what: "roles", examine: () => examineRoles(parts), remedy },
    { what: "rights", examine: () => examineRights(parts), remedy },
  ];
}

async function examineMigrations({ db, files, isShared }: DatabaseParts): Promise<Finding> {
  const { applied: missing, newer } = await migrate(db, files, { dryRun: true });
  if (missing.length > 0)
    return isShared
      ? bad(`missing: ${missing.join(", ")}`, "run: algobrain db migrate (a start does it too)")
      : doubtful(`${missing.length} missing`, "none: the next start applies them");
  return newer.length === 0
    ? good("up to date")
    : doubtful(`a newer release was here: ${newer.join(", ")}`, "update this program");
}

/** Each run is to work as a database role of its own (decision 0040). */
async function examineRoles({ db, isShared }: DatabaseParts): Promise<Finding> {
  if (await mayCreateRunRoles(db)) return good("each run has a database role of its own");
  const found =
    "the database user may not create roles: outside of `local`, runs that change something are refused";
  const how =
    "run, as the owner of the tables: algobrain db users; or ALTER ROLE <user of DATABASE_URL> CREATEROLE";
  return isShared ? bad(found, how) : doubtful(found, how);
}

/** The services are to be a user who owns no table and may change every row (HB-aws-24, decision 0062). */
async function examineRights({ db }: DatabaseParts): Promise<Finding> {
  const rights = await readDatabaseRights(db);
  const { user, ownsTables, missing } = rights;
  if (isRunRole(user))
    return good("asked by a run, which has only what its runbook declares: see algobrain doctor");
  const how = "run, as the user who migrates: algobrain db users";
  if (missing.length > 0)
    return bad(`${user} may not work on ${missing.length} tables, such as ${missing[0]}`, how);
  const lacks = lacksOf(rights);
  if (lacks.length > 0) return doubtful(`${user} goes without: ${lacks.join("; ")}`, how);
  return good(ownsTables ? `${user} owns the tables` : `${user} works on the tables and owns none`);
}

function lacksOf({ mayCreateDatabases, mayMaintain, seesOthers }: DatabaseRights): string[] {
  return [
    ...(mayCreateDatabases ? [] : ["CREATEDB (backups are not tried out)"]),
    ...(mayMaintain ? [] : ["MAINTAIN (vacuum is autovacuum's alone)"]),
    ...(seesOthers ? [] : ["pg_read_all_stats (AR-101 is blind to other users)"]),
  ];
}

async function examineClock(db: Database, clock: Clock): Promise<Finding> {
  const askedMs = clock.now().getTime();
  const { now } = await readServer(db);
  return judgeClock({ askedMs, answeredMs: clock.now().getTime(), theirsMs: now.getTime() });
}

/** All in epoch milliseconds. The time that the question itself took is no difference. */
export function judgeClock(seen: {
  readonly askedMs: number;
  readonly answeredMs: number;
  readonly theirsMs: number;
}): Finding {
  const { askedMs, answeredMs, theirsMs } = seen;
  const aheadMs = theirsMs - Math.min(Math.max(theirsMs, askedMs), answeredMs);
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return good("agrees with the database's");
  const side = aheadMs > 0 ? "behind" : "ahead of";
  return bad(
    `${formatDuration(Math.abs(aheadMs))} ${side} the database's`,
    "let both machines take their time from NTP",
  );
}
