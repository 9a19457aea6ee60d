/** `token`: prints a JWT for the API. In local the signing secret is the one kept in home. */
import { systemClock } from "../base/clock.js";
import { parseDuration } from "../base/duration.js";
import { ROLES, type Role } from "../policy/policy.js";
import { withLocalSecrets } from "../runtime/local-secrets.js";
import { signToken } from "../web/token.js";
import { oneOf, parseCommandLine, UsageError } from "./arguments.js";
import { type Command, EXIT_OK } from "./command.js";
import { openConfig } from "./settings.js";

export const tokenCommand: Command = {
  name: "token",
  forms: [
    {
      usage: "token --role viewer|operator|admin [--ttl 1h] [--subject NAME]",
      does: "print a token for the API",
    },
  ],
  async run(args, io) {
    const { values } = parseCommandLine(args, {
      role: { type: "string" },
      ttl: { type: "string", default: "1h" },
      subject: { type: "string" },
    });
    const ttlMs = parseDuration(values.ttl);
    if (ttlMs === null || ttlMs === 0) {
      throw new UsageError(`--ttl: found "${values.ttl}", expected a duration such as 1h or 30m`);
    }
    const role = asRole(values.role);
    const { auth } = await withLocalSecrets(await openConfig(io));
    const subject = values.subject ?? io.actor;
    const request = { subject, role, ttlMs, now: systemClock.now() };
    io.out(await signToken(request, auth.jwtSecrets ?? []));
    return EXIT_OK;
  },
};

function asRole(text: string | undefined): Role {
  if (text === undefined) throw new UsageError(`--role is missing, expected ${ROLES.join(", ")}`);
  return oneOf("--role", text, ROLES);
}
