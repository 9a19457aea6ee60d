/**
 * `token`: prints a JWT for the API. In local the signing secret is the one kept in home. Who makes one for an
 * admin says why, and it stands in the audit before it is shown. `token revoke` takes one back.
 */
import { systemClock } from "../base/clock.js";
import { formatDuration, parseDuration } from "../base/duration.js";
import { ROLES, type Role } from "../policy/policy.js";
import type { Config } from "../runtime/config.js";
import { withLocalSecrets } from "../runtime/local-secrets.js";
import { appendAudit } from "../store/audit.js";
import { takeBackToken } from "../web/take-back.js";
import {
  type IssuedToken,
  issueToken,
  PURPOSES,
  type Purpose,
  TOKEN_TTL_MAX_MS,
  type TokenRequest,
} from "../web/token.js";
import { oneOf, parseCommandLine, UsageError } from "./arguments.js";
import { type Command, type CommandIo, EXIT_OK } from "./command.js";
import { openConfig, withDatabase } from "./settings.js";

const TTL_DEFAULT: Readonly<Record<Role, string>> = { viewer: "1h", operator: "1h", admin: "15m" };

export const tokenCommand: Command = {
  name: "token",
  forms: [
    {
      usage:
        "token --role viewer|operator|admin [--ttl 1h] [--subject NAME] [--reason TEXT] [--purpose drift]",
      does: "print a token for the API; one for an admin needs a reason, and ends after 15 minutes",
    },
    { usage: "token revoke ID --reason TEXT", does: "take a token back, by its id" },
  ],
  run: ([word, ...args], io) =>
    word === "revoke" ? revoke(args, io) : issue(word === undefined ? [] : [word, ...args], io),
};

async function issue(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, {
    role: { type: "string" },
    ttl: { type: "string" },
    subject: { type: "string" },
    reason: { type: "string" },
    purpose: { type: "string" },
  });
  const role = asRole(values.role);
  const ttlMs = asTtl(values.ttl ?? TTL_DEFAULT[role], role);
  const subject = values.subject ?? io.actor;
  const purpose = values.purpose === undefined ? null : asPurpose(values.purpose, role);
  const request = { subject, role, purpose, ttlMs, now: systemClock.now() };
  if (role !== "admin") {
    io.out((await sign(request, await openConfig(io))).token);
    return EXIT_OK;
  }
  if (values.reason === undefined)
    throw new UsageError("--reason is missing: a token for an admin goes to the audit");
  const issued = await issueAudited(request, values.reason, io);
  io.out(issued.token);
  io.err(
    `note: token ${issued.id} ends at ${issued.endsAt.toISOString()}; take it back with: algobrain token revoke ${issued.id} --reason TEXT`,
  );
  return EXIT_OK;
}

/** In the audit before anybody can use it. */
function issueAudited(request: TokenRequest, reason: string, io: CommandIo): Promise<IssuedToken> {
  return withDatabase(io, async (db, config) => {
    const issued = await sign(request, config);
    const { subject, role } = request;
    await appendAudit(db, {
      actor: io.actor,
      action: "token.issued",
      target: `token:${issued.id}`,
      details: { subject, role, reason, ends_at: issued.endsAt.toISOString() },
    });
    return issued;
  });
}

async function sign(request: TokenRequest, config: Config): Promise<IssuedToken> {
  const { auth } = await withLocalSecrets(config);
  return issueToken(request, auth.jwtSecrets ?? []);
}

async function revoke(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, operands } = parseCommandLine(args, { reason: { type: "string" } }, ["ID"]);
  const [tokenId] = operands;
  const { reason } = values;
  if (reason === undefined) throw new UsageError("--reason is missing: it goes to the audit");
  // A token in argv would be seen by every user of the machine, and an id has no dots.
  if (tokenId.includes("."))
    throw new UsageError("ID: found what looks like a token, expected its id (the claim jti)");
  const { changed, until } = await withDatabase(io, (db) =>
    takeBackToken(db, { tokenId, reason, by: io.actor, now: systemClock.now() }),
  );
  const when = until.toISOString();
  io.out(changed ? `taken back until it ends, at ${when} at the latest` : "was taken back already");
  return EXIT_OK;
}

function asRole(text: string | undefined): Role {
  if (text === undefined) throw new UsageError(`--role is missing, expected ${ROLES.join(", ")}`);
  return oneOf("--role", text, ROLES);
}

function asPurpose(text: string, role: Role): Purpose {
  if (role !== "viewer")
    throw new UsageError(`--purpose: found role ${role}, expected viewer: it may that and read`);
  return oneOf("--purpose", text, PURPOSES);
}

function asTtl(text: string, role: Role): number {
  const ttlMs = parseDuration(text);
  if (ttlMs === null || ttlMs === 0) {
    throw new UsageError(`--ttl: found "${text}", expected a duration such as 1h or 30m`);
  }
  const maxMs = TOKEN_TTL_MAX_MS[role];
  if (ttlMs > maxMs)
    throw new UsageError(
      `--ttl: found "${text}", expected ${formatDuration(maxMs)} at most for role ${role}`,
    );
  return ttlMs;
}
