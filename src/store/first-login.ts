/**
 * The first password of the services, which nobody sees or types (X-33, HB-aws-24,
 * docs/decisions/0065-nobody-knows-the-first-password.md). The put is the last thing that is done: a secret with a value
 * is one that lets in, and whatever was cut short before it is simply done again.
 */
import { fault } from "../base/fault.js";
import type { SecretText } from "../base/secret-text.js";
import { passwordOf, userPairOf, withUser } from "../runbook/aws/database-users.js";
import { makeApplicationUsers } from "./application-users.js";
import type { Database } from "./database.js";
import { loginUser } from "./user-care.js";

/** Any number that other programs on the database are unlikely to lock; not that of migrations, which are made meanwhile. */
const LOCK_KEY = 7_205_759_404;
const LOCK_TIMEOUT_MS = 300_000;

/** Where the address of the services is kept. */
export interface FirstSecret {
  hasValue(): Promise<boolean>;
  /** False: another value was there first, and this one is none. */
  putFirst(value: SecretText): Promise<boolean>;
  read(): Promise<SecretText>;
}

export interface FirstLogin {
  /** The users are this with `_a` and `_b` after it. */
  readonly group: string;
  /** Of the owner: where the database is. */
  readonly address: SecretText;
  /** A new one, that nobody has. */
  readonly password: SecretText;
  readonly ssl: boolean;
  readonly secret: FirstSecret;
}

/**
 * Makes the two users, lets `_a` log in, proves it, and puts the address; `there`: it has a value already, and its
 * password is left as it is. Two at once wait for each other. Throws refused Faults as `makeApplicationUsers`.
 */
export async function giveFirstLogin(db: Database, wish: FirstLogin): Promise<"given" | "there"> {
  return db.connect(async (sql) => {
    await sql.query("BEGIN");
    try {
      await sql.query(
        `SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};
         SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(${LOCK_KEY})`,
      );
      return await giveAlone(db, wish);
    } finally {
      await sql.query("ROLLBACK");
    }
  });
}

async function giveAlone(db: Database, wish: FirstLogin): Promise<"given" | "there"> {
  const { group, address, password, ssl, secret } = wish;
  if (await secret.hasValue()) {
    await makeApplicationUsers(db, { group, login: null, dryRun: false });
    return "there";
  }
  const fresh = withUser(address, `${group}_a`, password);
  await letIn(db, wish, fresh);
  if (await secret.putFirst(fresh)) return "given";
  // Somebody was quicker although nobody could be. What is kept is what the services read, so it is made true.
  const kept = await secret.read();
  if (userPairOf(kept).used === `${group}_a`) await letIn(db, wish, kept);
  else await expectLogin(kept, ssl, userPairOf(kept).used);
  return "there";
}

async function letIn(
  db: Database,
  { group, ssl }: Pick<FirstLogin, "group" | "ssl">,
  address: SecretText,
): Promise<void> {
  const login = { user: "a", password: passwordOf(address) } as const;
  await makeApplicationUsers(db, { group, login, dryRun: false });
  await expectLogin(address, ssl, `${group}_a`);
}

async function expectLogin(address: SecretText, ssl: boolean, user: string): Promise<void> {
  const found = await loginUser(address, ssl);
  if (found === user) return;
  throw fault.refused("DATABASE_LOGIN_REFUSED", `found to be ${found}, expected ${user}`);
}
