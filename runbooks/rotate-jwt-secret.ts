/** Another key for API tokens, without logging anybody out (RB-99, HB-op-53, LB-op-12, HB-sec-05, HB-sec-07, LB-sec-02, HB-cli-38, LB-cli-10, X-34). */
import {
  type ListParams,
  listParams,
  listRotationSteps,
  planListRotation,
  rotatingList,
} from "../src/runbook/aws/list-rotation.js";
import { judgingRotation } from "../src/runbook/aws/rotation.js";
import { defineRunbook } from "../src/runbook/define.js";

const SECRET = "jwt-secret";

export default defineRunbook({
  name: "rotate-jwt-secret",
  aliases: ["rotate-jwt"],
  title: "Signs API tokens with a new key; the old one is accepted until a second run drops it",
  danger: "V",
  params: listParams(
    "add: a new key beside the old; drop: only the newest; leaked: only a new one, at once",
    // The longest that a token of ours lives.
    { least: "90d", means: "for drop: how long the old key has been accepted at least" },
  ),
  ...rotatingList(SECRET),
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
