/** The database server as runbooks may see and change it: sessions, backups, and databases restored beside ours. */
import type { SecretText } from "../base/secret-text.js";

/** A session of the database server, as `pg_stat_activity` tells of it. */
export interface SessionView {
  readonly pid: number;
  readonly startedAt: Date;
  readonly queryAt: Date | null;
  readonly application: string;
  readonly state: string | null;
  readonly stateMs: number | null;
  readonly statementMs: number | null;
  readonly transactionMs: number | null;
  readonly wait: string | null;
  /** Its first 500 characters. */
  readonly statement: string;
  /** Of our own programs. */
  readonly ours: boolean;
}

export interface ConnectionCount {
  readonly max: number;
  readonly reserved: number;
  readonly used: number;
  readonly ours: number;
  readonly poolSize: number;
}

export interface BackupView {
  readonly id: string;
  readonly takenAt: Date;
  readonly method: "pg_dump" | "tables";
  readonly bytes: number;
  /** By table, `public.jobs`; null: a file of pg_dump does not tell. */
  readonly rows: Readonly<Record<string, number>> | null;
}

export interface BackupRoom {
  readonly folder: string;
  readonly databaseBytes: number;
  readonly freeBytes: number;
}

/** A database that `restoreInto` made. */
export interface RestoredView {
  readonly database: string;
  readonly backup: string;
  /** False: it is being filled, or whoever filled it died. */
  readonly isComplete: boolean;
}

export interface DatabaseReader {
  sessions(): Promise<readonly SessionView[]>;
  connections(): Promise<ConnectionCount>;
  /** How many sessions each database user has in this database. */
  sessionsByUser(): Promise<Readonly<Record<string, number>>>;
  /** Those that are finished, newest first. */
  backups(): Promise<readonly BackupView[]>;
  backupRoom(): Promise<BackupRoom>;
  /** What of it is not as it was written, in words; none: all its checksums fit. */
  checkBackup(id: string): Promise<readonly string[]>;
  /** Rows of the tables that matter, by name. */
  counts(): Promise<Readonly<Record<string, number>>>;
  restored(): Promise<readonly RestoredView[]>;
  /** The same counts in such a database, and what of its data cannot be true. */
  lookInto(database: string): Promise<{
    readonly rows: Readonly<Record<string, number>>;
    readonly broken: readonly string[];
  }>;
}

/** `changed`: another session has that number, or it does something else by now. `protected`: not one that may be ended. */
export type EndedSession = "ended" | "gone" | "changed" | "protected";

export interface DatabaseWriter {
  endSession(request: {
    readonly session: Pick<SessionView, "pid" | "startedAt" | "queryAt">;
    readonly how: "cancel" | "terminate";
  }): Promise<EndedSession>;
  /** `through`: the address of a user that may change others. Throws a refused Fault `DATABASE_USER_UNCHANGED`. */
  setUserPassword(request: {
    readonly through: SecretText;
    readonly user: string;
    readonly password: SecretText;
  }): Promise<void>;
  /** Logs in there, once; answers with the user that it became. Throws a refused Fault `DATABASE_LOGIN_REFUSED`. */
  testLogin(address: SecretText): Promise<string>;
  /** Throws a refused fault `BACKUP_REFUSED` for what cannot be backed up so; half a backup does not stay. */
  backup(request: {
    /** What its id ends with, e.g. `run-17`. */
    readonly suffix: string;
    readonly only: "schema" | { readonly table: string } | undefined;
    readonly signal: AbortSignal;
  }): Promise<{ readonly id: string; readonly method: string; readonly restoreWith: string }>;
  /** False when it was not there. */
  removeBackup(id: string): Promise<boolean>;
  /** Into a new database (`algobrain_restore_…`); never into one that is there. What fails on the way does not stay. */
  restoreInto(request: {
    readonly backup: string;
    readonly database: string;
    readonly signal: AbortSignal;
  }): Promise<void>;
  /** Only what `restoreInto` made; of what is complete, only while nobody is connected: false when somebody is. */
  dropRestored(database: string): Promise<boolean>;
}
