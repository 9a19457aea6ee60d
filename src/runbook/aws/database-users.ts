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

/** The same address for another user; what an address cannot hold as it is, is encoded. */
export function withUser(address: SecretText, user: string, password: SecretText): SecretText {
  const url = readAddress(address);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password.reveal());
  return new SecretText(url.href);
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
