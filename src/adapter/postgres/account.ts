/**
 * Who runs the embedded server. PostgreSQL refuses to run as root, so root lends it the operating
 * system's account `postgres`; anybody else runs it as themselves.
 */
import { type ExecFileException, execFile } from "node:child_process";
import { fault } from "../../base/fault.js";

const ACCOUNT_NAME = "postgres";
const PROGRAM_TIMEOUT_MS = 60_000;
/** Nothing is inherited: PGDATA, PGPORT and the like of the person's shell must not steer our server. */
export const ENVIRONMENT = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/** Null: run as the current user. */
export type Account = { readonly uid: number; readonly gid: number } | null;

export interface Finished {
  readonly ok: boolean;
  readonly stdout: string;
  /** What a failed program said, on one line. */
  readonly complaint: string;
}

/** Runs a program to its end as that account, with a deadline and without our environment. Never rejects. */
export function runAs(
  account: Account,
  program: string,
  args: readonly string[],
  input = "",
): Promise<Finished> {
  const options = {
    ...account,
    // Our own working directory may be one that the account cannot enter.
    cwd: "/",
    env: ENVIRONMENT,
    timeout: PROGRAM_TIMEOUT_MS,
  };
  return new Promise((resolve) => {
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ ok: error === null, stdout, complaint: complaintOf(`${stderr}${stdout}`, error) });
    });
    // A program that ends without reading its input is judged by its exit code.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** The line that says what went wrong, among all that a program says while it cleans up. */
function complaintOf(said: string, error: ExecFileException | null): string {
  if (error?.killed) return `it did not end within ${PROGRAM_TIMEOUT_MS / 1_000} s`;
  const [, loud] = /(?:PANIC|FATAL|ERROR|error):\s*(.+)/.exec(said) ?? [];
  return loud ?? (said.trim().replaceAll(/\s*\n\s*/g, "; ") || (error?.message ?? ""));
}

/** Throws a Fault `EMBEDDED_DATABASE_ACCOUNT` when root finds no account `postgres` and cannot make one. */
export async function findAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return null;
  const known = await lookUp();
  if (known) return known;
  const shell = ["--shell", "/usr/sbin/nologin"];
  const made = await runAs(null, "useradd", [
    "--system",
    "--no-create-home",
    ...shell,
    ACCOUNT_NAME,
  ]);
  const account = await lookUp();
  if (account) return account;
  throw fault.refused(
    "EMBEDDED_DATABASE_ACCOUNT",
    `PostgreSQL cannot run as root, and the account "${ACCOUNT_NAME}" could not be made: ${made.complaint}`,
    { hint: `make the account "${ACCOUNT_NAME}", start as an ordinary user, or set DATABASE_URL` },
  );
}

async function lookUp(): Promise<Account> {
  const uid = await runAs(null, "id", ["-u", ACCOUNT_NAME]);
  const gid = await runAs(null, "id", ["-g", ACCOUNT_NAME]);
  return uid.ok && gid.ok ? { uid: Number(uid.stdout), gid: Number(gid.stdout) } : null;
}

/** True when the account may enter the folder, all folders above it included. */
export async function canEnter(account: Account, folder: string): Promise<boolean> {
  if (account === null) return true;
  return (await runAs(account, "/bin/sh", ["-c", 'cd -- "$0"', folder])).ok;
}
