/** The two database users that services take in turns: while one is read, the other gets a new password. */
import { fault } from "../../base/fault.js";
import { SecretText } from "../../base/secret-text.js";

export interface UserPair {
  /** Whom the services log in as now. */
  readonly used: string;
  readonly idle: string;
}

/** Unquoted names of Postgres, at most 63 bytes. */
const PAIRED = /^([a-z][a-z0-9_]{0,60}_)([ab])$/;

/** From the address that is read now. Throws a refused Fault `DATABASE_USER_UNPAIRED`, which does not quote it. */
export function userPairOf(address: SecretText): UserPair {
  const [, stem, letter] = PAIRED.exec(userOf(address)) ?? [];
  if (stem === undefined)
    throw fault.refused(
      "DATABASE_USER_UNPAIRED",
      "database-url: found a user that is none of two, expected a name that ends in _a or _b",
      {
        hint: "algobrain db users makes algobrain_app_a and algobrain_app_b: put the address of one into the secret",
      },
    );
  return { used: `${stem}${letter}`, idle: `${stem}${letter === "a" ? "b" : "a"}` };
}

export function passwordOf(address: SecretText): SecretText {
  return new SecretText(decodeURIComponent(readAddress(address).password));
}

/** The same address for another user; what an address cannot hold as it is, is encoded. */
export function withUser(address: SecretText, user: string, password: SecretText): SecretText {
  const url = readAddress(address);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password.reveal());
  return new SecretText(url.href);
}

/**
 * The address of whoever migrates: RDS keeps a login alone, `{"username":…,"password":…}` (Aurora user guide, "Password
 * management with Amazon Aurora and AWS Secrets Manager"). Throws a data Fault `MASTER_SECRET_INVALID`, which quotes nothing.
 */
export function withLogin(address: SecretText, login: SecretText): SecretText {
  const { username, password } = readLogin(login);
  return withUser(address, username, new SecretText(password));
}

function readLogin(login: SecretText): { username: string; password: string } {
  const read = parsed(login.reveal());
  const { username, password } = Object(read) as { username?: unknown; password?: unknown };
  if (typeof username === "string" && typeof password === "string") return { username, password };
  throw fault.data(
    "MASTER_SECRET_INVALID",
    "the secret of the database's master user: found no login, expected JSON with username and password",
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What it says would quote the text.
    return null;
  }
}

function userOf(address: SecretText): string {
  return decodeURIComponent(readAddress(address).username);
}

function readAddress(address: SecretText): URL {
  const text = address.reveal().trim();
  if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return new URL(text);
  throw fault.refused(
    "DATABASE_ADDRESS_INVALID",
    "database-url: found no address, expected postgres://user:password@host/name",
  );
}
