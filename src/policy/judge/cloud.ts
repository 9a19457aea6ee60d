/** What a change of scaling or infrastructure means. What has a name in AWS is replaced, not renamed. */
import { duration, plain } from "../words.js";
import { ESTATE_ROWS, REPLACED } from "./estate.js";
import { amount, entry, exchange, figure, type Rows, toggle } from "./row.js";
import { RUNNING_ROWS } from "./running.js";

/** Seconds. */
const seconds = (count: number) => duration(count * 1000);

export const CLOUD_ROWS: Rows = {
  "scaling.*.min": amount("fewest tasks", plain, {
    more: ["stricter", "more in reserve"],
    less: ["looser", "less in reserve"],
  }),
  "scaling.*.max": amount("most tasks", plain, {
    more: ["looser", "may grow and cost more"],
    less: ["stricter", "may grow less"],
  }),
  "scaling.*.desired": figure("tasks at the first deployment", plain, "later ones leave it alone"),
  "scaling.*.policies.*": entry({
    added: ["new", "scales by one more metric"],
    removed: ["gone", "does not scale by it any more"],
  }),
  "scaling.*.policies.*.name": exchange("name"),
  "scaling.*.policies.*.metric": exchange("scales by", ["looser", "follows something else"]),
  "scaling.*.policies.*.target": amount("target", plain, {
    more: ["looser", "grows later"],
    less: ["stricter", "grows sooner"],
  }),
  "scaling.*.policies.*.scaleInCooldownS": amount("wait after taking tasks away", seconds, {
    more: ["stricter", "shrinks more slowly"],
    less: ["looser", "shrinks faster"],
  }),
  "scaling.*.policies.*.scaleOutCooldownS": amount("wait after adding tasks", seconds, {
    more: ["looser", "grows more slowly"],
    less: ["stricter", "grows faster"],
  }),

  "infrastructure.region": exchange("region", REPLACED),
  "infrastructure.cluster": exchange("cluster", REPLACED),
  "infrastructure.exportsBucket": exchange("bucket of exports", REPLACED),
  "infrastructure.namespace": exchange("CloudWatch namespace", [
    "irreversible",
    "metrics begin anew under the new name",
  ]),
  "infrastructure.services.*.cpu": figure("cpu", plain, "tasks are replaced one by one"),
  "infrastructure.services.*.memoryMiB": figure(
    "memory",
    (size) => `${size} MiB`,
    "tasks are replaced one by one",
  ),
  "infrastructure.services.*.target": exchange("must carry"),
  "infrastructure.services.*.target.requestsPerSecond": amount("must carry per second", plain, {
    more: ["stricter", "more is asked of it"],
    less: ["looser", "less is asked of it"],
  }),
  "infrastructure.database.poolSize": figure("connections of a task", plain, "from its next start"),
  "infrastructure.database.connectionsMax": figure("connections of the server", plain),
  "infrastructure.database.reserve": amount("connections kept free", plain, {
    more: ["stricter", "more room for people"],
    less: ["looser", "less room for people"],
  }),
  "infrastructure.pinInTask": toggle("concurrency pinned in the task", {
    on: ["neutral", "a change of policy then needs a deployment"],
    off: ["neutral", "the policy alone decides"],
  }),

  ...ESTATE_ROWS,
  ...RUNNING_ROWS,
};
