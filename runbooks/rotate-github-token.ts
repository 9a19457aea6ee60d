/** Another token for GitHub: tried, switched to, and the old one revoked (RB-97, HB-op-51, HB-sec-03, HB-cli-38, X-78). */
import { MINUTE_MS } from "../src/base/duration.js";
import { Fault, fault } from "../src/base/fault.js";
import { patiently } from "../src/runbook/aws/patient.js";
import { READ_SERVICES, UPDATE_SERVICES } from "../src/runbook/aws/permissions.js";
import {
  judgingRotation,
  planRotation,
  promoting,
  readingBefore,
  rotating,
  rotationFacts,
  secretState,
} from "../src/runbook/aws/rotation.js";
import {
  ROTATION_TARGETS_MAX,
  restarting,
  rotationLocks,
} from "../src/runbook/aws/secret-readers.js";
import { type ActContext, defineRunbook, Type } from "../src/runbook/define.js";

type Params = { revoke: boolean };

const SECRET = "github-token";
const REVOKE = "revoke the old token";

export default defineRunbook({
  name: "rotate-github-token",
  title:
    "Switches to the GitHub token that a person put beside the one in use, and revokes the old one",
  danger: "V",
  params: Type.Object(
    {
      revoke: Type.Boolean({
        default: true,
        description: "false: something else still uses the old one",
      }),
    },
    { additionalProperties: false },
  ),
  locks: () => rotationLocks(SECRET),
  targetsMax: ROTATION_TARGETS_MAX,
  timeoutMs: 45 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    aws: [...READ_SERVICES, ...UPDATE_SERVICES, ...rotating(SECRET)],
  },
  guide:
    "GitHub makes tokens for people only. Make one there with the rights of the old one, put it beside it as AWSPENDING (the plan says how, so that it is in no argument list), then run this.",
  plan: async (context) => {
    const { path, current, pending } = await secretState(context.aws, SECRET);
    if (pending === null || pending === current)
      throw fault.refused("NO_NEW_TOKEN", `no new token waits in ${path}`, {
        hint: `put it there: aws secretsmanager put-secret-value --secret-id ${path} --version-stages AWSPENDING --secret-string file:///dev/stdin`,
      });
    const changes = ["the token that waits becomes the one that is used"];
    if (context.params.revoke) changes.push("the old one is revoked at GitHub, for ever");
    return planRotation(context, SECRET, { changes });
  },
  steps: [
    {
      name: "try the new token",
      repeat: "safe",
      run: async (context) => {
        const { endsAt } = await tryToken(context, "AWSPENDING");
        const until = endsAt === null ? "it has no end" : `it ends at ${endsAt.toISOString()}`;
        return `GitHub takes the new token, ${until}`;
      },
      undo: readingBefore<Params>(SECRET, async (context) => {
        try {
          await tryToken(context, "AWSPREVIOUS");
          return null;
        } catch (thrown) {
          if (!(thrown instanceof Fault) || thrown.code !== "GITHUB_TOKEN_REFUSED") throw thrown;
          return "left as it is: GitHub takes the old token no more";
        }
      }),
    },
    promoting(SECRET, "before"),
    ...restarting((context) => rotationFacts(context).readers),
    {
      name: REVOKE,
      // A token that is revoked already stays so.
      repeat: "safe",
      run: async (context) => {
        if (!context.params.revoke) return { text: "left: so it was asked for", value: "left" };
        // Before the only other one is gone.
        await tryToken(context, "AWSCURRENT");
        return revokeOld(context);
      },
      undo: { never: "GitHub brings no revoked token back" },
    },
  ],
  verify: judgingRotation<Params>(SECRET, ({ resultOf }) => {
    const found = resultOf(REVOKE);
    if (found === "revoked") return "the old token is revoked";
    return found === "left"
      ? "the old token still works"
      : `REVOKE THE OLD TOKEN BY HAND: ${found}`;
  }),
  next: () => "/algobrain show-capacity workers",
});

function tryToken(context: ActContext<Params>, stage: string) {
  const { aws, system, signal } = context;
  return patiently(context, async () =>
    system.testGitHubToken(
      await aws.readSecret({ name: aws.place().secretOf(SECRET), stage }),
      signal,
    ),
  );
}

/** That it could not be revoked is told, and no reason to go back to it. */
async function revokeOld(context: ActContext<Params>) {
  const { aws, system, signal } = context;
  const { path, previous } = await secretState(aws, SECRET);
  if (previous !== rotationFacts(context).current)
    return { text: "not revoked: the old one is no longer at hand", value: "it is not at hand" };
  try {
    const old = await aws.readSecret({ name: path, stage: "AWSPREVIOUS" });
    await patiently(context, () => system.revokeGitHubToken(old, signal));
    return { text: "GitHub took the order to revoke it", value: "revoked" };
  } catch (thrown) {
    // Who lost the run knows nothing of the token: whoever goes on tries again.
    if (!(thrown instanceof Fault) || thrown.code === "RUN_LOST") throw thrown;
    return { text: `not revoked: ${thrown.message}`, value: thrown.message };
  }
}
