/** Another key for API tokens, without logging anybody out (RB-99, HB-op-53, LB-op-12, HB-sec-05, HB-sec-07, LB-sec-02, HB-cli-38, LB-cli-10, X-34). */
import { MINUTE_MS } from "../src/base/duration.js";
import {
  LIST_PARTS,
  type ListParams,
  listRotationSteps,
  planListRotation,
} from "../src/runbook/aws/list-rotation.js";
import { READ_SERVICES, UPDATE_SERVICES } from "../src/runbook/aws/permissions.js";
import { judgingRotation, rotating } from "../src/runbook/aws/rotation.js";
import { ROTATION_TARGETS_MAX, rotationLocks } from "../src/runbook/aws/secret-readers.js";
import { DurationText, defineRunbook, Type } from "../src/runbook/define.js";

const SECRET = "jwt-secret";

export default defineRunbook({
  name: "rotate-jwt-secret",
  aliases: ["rotate-jwt"],
  title: "Signs API tokens with a new key; the old one is accepted until a second run drops it",
  danger: "V",
  params: Type.Object(
    {
      part: Type.Enum([...LIST_PARTS], {
        default: "add",
        description:
          "add: a new key beside the old; drop: only the newest; leaked: only a new one, at once",
      }),
      overlap: Type.Unsafe<string>({
        ...DurationText,
        // The longest that a token of ours lives.
        default: "90d",
        description: "for drop: how long the old key has been accepted at least",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["part", "overlap"],
  locks: () => rotationLocks(SECRET),
  targetsMax: ROTATION_TARGETS_MAX,
  timeoutMs: 55 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    aws: [...READ_SERVICES, ...UPDATE_SERVICES, ...rotating(SECRET)],
  },
  guide:
    "Every token that was given out goes on to work after `add`; when the last of them has ended, `drop`. After a leak `leaked`: everybody needs a new token then, algobrain token makes them.",
  plan: (context) =>
    planListRotation(context, SECRET, "every token that was given out is refused from then on"),
  steps: listRotationSteps(SECRET, "jwt"),
  verify: judgingRotation<ListParams>(SECRET, ({ params: { part } }) =>
    part === "add" ? "when the last old token has ended: /algobrain rotate-jwt-secret drop" : "",
  ),
  next: () => "/algobrain show-capacity api",
});
