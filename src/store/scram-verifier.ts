/**
 * What Postgres keeps of a password (RFC 5802 and 7677; PostgreSQL manual, `pg_authid.rolpassword`). Made
 * here, so that the password itself is in no statement, and so in no log of the server.
 */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

/** The server's own default; the passwords are random, so a larger number would protect nothing. */
const ITERATIONS = 4096;
const KEY_BYTES = 32;

/** The password must be ASCII: others would have to be normalised first. The salt is random, 16 bytes. */
export function scramVerifier(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, KEY_BYTES, "sha256");
  const hmac = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(hmac("Client Key")).digest("base64");
  const server = hmac("Server Key").toString("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${stored}:${server}`;
}
