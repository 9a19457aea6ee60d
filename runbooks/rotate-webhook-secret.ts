/** Another secret of GitHub's deliveries, with no delivery refused meanwhile (RB-100, HB-sec-08, HB-sec-02). */
import {
  type ListParams,
  listParams,
  listRotationSteps,
  planListRotation,
  rotatingList,
} from "../src/runbook/aws/list-rotation.js";
import { judgingRotation } from "../src/runbook/aws/rotation.js";
import { defineRunbook } from "../src/runbook/define.js";

const SECRET = "webhook-secret";

export default defineRunbook({
  name: "rotate-webhook-secret",
  aliases: ["rotate-webhook"],
  title:
    "Accepts deliveries signed with a new secret beside the old one, until a second run drops it",
  danger: "V",
  params: listParams(
    "add: a new one beside the old; drop: only the newest; leaked: only a new one, at once",
    { least: "10m", means: "for drop: how long both have been accepted at least" },
  ),
  ...rotatingList(SECRET),
  guide:
    "After `add` a person gives GitHub the new one: the text before the first comma of the secret's value, in the repository's Settings, Webhooks. When a delivery has come through (its page shows a green mark), `drop`.",
  plan: (context) =>
    planListRotation(context, SECRET, "deliveries are refused until GitHub has the new one"),
  steps: listRotationSteps(SECRET, "webhook"),
  verify: judgingRotation<ListParams>(SECRET, ({ params: { part } }) =>
    part === "drop"
      ? ""
      : `give GitHub the text before the first comma of it${part === "add" ? ", then: /algobrain rotate-webhook-secret drop" : ""}`,
  ),
  next: () => "/algobrain show-capacity api",
});
