/**
 * New values of secrets, one maker a kind: each as long as it has to be, in characters that its keeper takes, and
 * without a line break (X-32). RDS refuses `/`, `@` and `"`; ElastiCache takes 16 to 128 characters and hardly a symbol
 * (docs.aws.amazon.com/AmazonElastiCache, "Authenticating with the AUTH command").
 */
import { SecretText } from "./secret-text.js";

export const SECRET_KINDS = ["webhook", "jwt", "database", "redis"] as const;
export type SecretKind = (typeof SECRET_KINDS)[number];

/** `randomBytes` of `node:crypto`: nobody can guess them. */
export type RandomBytes = (count: number) => Buffer;

const REDIS_LENGTH = 64;
/** Two in 64 characters are dropped: a second draw is rare, and a source that gives nothing usable ends here. */
const DRAWS_MAX = 20;

const MAKERS: Readonly<Record<SecretKind, (random: RandomBytes) => string>> = {
  // HB-sec-02
  webhook: (random) => random(32).toString("hex"),
  // HB-req-13
  jwt: (random) => random(64).toString("base64"),
  database: (random) => random(32).toString("base64url"),
  redis: (random) => alphanumerics(REDIS_LENGTH, random),
};

export function makeSecretValue(kind: SecretKind, random: RandomBytes): SecretText {
  return new SecretText(MAKERS[kind](random));
}

/** base64url without its two symbols: what is left is as likely as before. */
function alphanumerics(length: number, random: RandomBytes): string {
  let text = "";
  for (let draw = 0; draw < DRAWS_MAX && text.length < length; draw += 1)
    text += random(length).toString("base64url").replaceAll(/[-_]/g, "");
  if (text.length < length) throw new Error("assertion failed: the random bytes are none");
  return text.slice(0, length);
}
