/** What a change of network, data, delivery or identity means, and what plans may do without a person. */
import { days, duration, plain } from "../words.js";
import {
  amount,
  entry,
  exchange,
  type Meaning,
  members,
  type Rows,
  ranked,
  toggle,
} from "./row.js";

/** What has a name in AWS is replaced, not renamed. */
export const REPLACED: Meaning = [
  "irreversible",
  "AWS replaces it, and what was in the old one stays behind",
];
const OTHERS_MAY: Meaning = ["looser", "other workflows may plan and apply"];
const units = (count: number) => `${count} ACU`;
const share = (count: number) => `${count} %`;

const NETWORK_ROWS: Rows = {
  "infrastructure.account": exchange("account", REPLACED),
  "infrastructure.azs": amount("availability zones", plain, {
    more: ["stricter", "one more may fail"],
    less: ["looser", "fewer may fail"],
  }),
  "infrastructure.network.cidr": exchange("network", REPLACED),
  // Pages leave by it, and so does whatever else a task sends.
  "infrastructure.network.nat": exchange("gateways to the internet", [
    "looser",
    "tasks get out otherwise, or not at all",
  ]),
  "infrastructure.api.host": exchange("the API's host", [
    "looser",
    "who calls the old name finds nothing",
  ]),
  "infrastructure.api.certificateArn": exchange("the API's certificate"),
};

const SITE_ROWS: Rows = {
  "infrastructure.frontend.enabled": toggle("the site's bucket", {
    on: ["neutral", "it is made"],
    off: ["irreversible", "it goes, and what is in it"],
  }),
  "infrastructure.frontend.bucket": exchange("the site's bucket", REPLACED),
  "infrastructure.frontend.cdn": toggle("CloudFront", {
    on: ["stricter", "the site is served again"],
    off: ["looser", "the site is not served any more"],
  }),
  "infrastructure.frontend.host": exchange("the site's host", [
    "looser",
    "who opens the old name finds nothing",
  ]),
  "infrastructure.frontend.certificateArn": exchange("the site's certificate"),
};

const DATA_ROWS: Rows = {
  "infrastructure.bundleBucket": exchange("bucket of policy bundles", REPLACED),
  "infrastructure.heartbeatsTable": exchange("table of heartbeats", REPLACED),
  "infrastructure.aurora.engine": exchange("database version", [
    "irreversible",
    "there is no way back to an older one",
  ]),
  "infrastructure.aurora.databaseName": exchange("database", REPLACED),
  "infrastructure.aurora.minCapacity": amount("least capacity", units, {
    more: ["stricter", "more in reserve"],
    less: ["looser", "less in reserve"],
  }),
  "infrastructure.aurora.maxCapacity": amount("most capacity", units, {
    more: ["looser", "may grow and cost more"],
    less: ["stricter", "may grow less"],
  }),
  "infrastructure.aurora.readers": amount("instances that read", plain, {
    more: ["stricter", "one more can take over"],
    less: ["looser", "fewer can take over, and readers find no endpoint without any"],
  }),
  "infrastructure.aurora.readerClass": exchange("class of readers", [
    "looser",
    "they are restarted, with more or less memory",
  ]),
  // AWS deletes the older days at once; a longer time afterwards brings none of them back.
  "infrastructure.aurora.backupDays": amount("backups go back", days, {
    more: ["stricter", "older states can be restored"],
    less: ["irreversible", "older states are gone at once"],
  }),
  "infrastructure.redis.engine": exchange("cache version", [
    "irreversible",
    "there is no way back to an older one",
  ]),
  "infrastructure.redis.nodeType": exchange("cache nodes are", [
    "looser",
    "they are replaced one by one, with more or less memory",
  ]),
  "infrastructure.redis.nodes": amount("cache nodes", plain, {
    more: ["stricter", "one more can take over"],
    less: ["looser", "fewer can take over"],
  }),
  "infrastructure.registry.owner": toggle("image repositories", {
    on: ["neutral", "they are made here"],
    off: ["irreversible", "they go, and the images in them"],
  }),
};

const WATCH_ROWS: Rows = {
  "infrastructure.deadMan.enabled": toggle("dead man's switch", {
    on: ["stricter", "somebody is told when everything is silent"],
    off: ["looser", "nobody is told when everything is silent"],
  }),
  "infrastructure.deadMan.afterMs": amount("silence is told after", duration, {
    more: ["looser", "told later"],
    less: ["stricter", "told sooner"],
  }),
  "infrastructure.datadog.forwarder": toggle("logs to Datadog", {
    on: ["looser", "they leave the account"],
    off: ["stricter", "they stay in the account"],
  }),
  "infrastructure.datadog.forwarderArn": exchange("logs leave by", [
    "looser",
    "make sure whose function it is",
  ]),
};

const IDENTITY_ROWS: Rows = {
  "infrastructure.policyKeys": members({
    lost: ["stricter", "policies are not believed any more when signed by"],
    gained: ["looser", "policies are believed when signed by"],
  }),
  "infrastructure.identity.repo": exchange("repository", OTHERS_MAY),
  "infrastructure.identity.ownerId": exchange("GitHub's number of the owner", OTHERS_MAY),
  "infrastructure.identity.repoId": exchange("GitHub's number of the repository", OTHERS_MAY),
  "infrastructure.identity.oidcProvider": exchange("OIDC provider", [
    "looser",
    "without exactly one in the account no workflow gets in",
  ]),
  "infrastructure.identity.applyEnvironment": exchange("environment that applies", OTHERS_MAY),
};

const BUDGET = {
  more: ["looser", "an apply may do more without an exception"],
  less: ["stricter", "an apply may do less without an exception"],
} as const satisfies { more: Meaning; less: Meaning };

const BUDGET_ROWS: Rows = Object.fromEntries(
  [
    ["deletes", amount("deletes of a plan", plain, BUDGET)] as const,
    ["replaces", amount("replacements of a plan", plain, BUDGET)] as const,
    ["changesPercent", amount("changes of a plan", share, BUDGET)] as const,
    ["statefulDeletes", amount("deletes of what holds data", plain, BUDGET)] as const,
    ["capacityGrowthPercent", amount("growth of a plan", share, BUDGET)] as const,
    ["alarmsRemoved", amount("alarms that a plan removes", plain, BUDGET)] as const,
  ].map(([name, judge]) => [`infrastructure.review.budgets.${name}`, judge]),
);

const DRIFT = "infrastructure.review.drift.classes.*";
const MORE_DRIFT: Meaning = ["looser", "other drift is treated so"];
const DRIFT_ROWS: Rows = {
  [DRIFT]: entry({
    added: ["looser", "drift of it is no longer only told as unknown"],
    removed: ["stricter", "drift of it is only reported"],
  }),
  [`${DRIFT}.types`]: members({
    lost: ["stricter", "not any more for"],
    gained: ["looser", "also for"],
  }),
  [`${DRIFT}.attributes`]: exchange("drift of", MORE_DRIFT),
  [`${DRIFT}.mode`]: ranked("drift is answered by", ["report", "propose", "heal"], {
    more: ["looser", "more happens without a person"],
    less: ["stricter", "less happens without a person"],
  }),
  [`${DRIFT}.why`]: exchange("why"),
  "infrastructure.review.drift.heals": amount("resources put back after one look", plain, {
    more: ["looser", "more happens without a pull request"],
    less: ["stricter", "less happens without a pull request"],
  }),
  "infrastructure.review.drift.proposals": amount("pull requests for drift at once", plain, {
    more: ["looser", "people have more to look at"],
    less: ["stricter", "people have less to look at"],
  }),
};

export const ESTATE_ROWS: Rows = {
  ...NETWORK_ROWS,
  ...SITE_ROWS,
  ...DATA_ROWS,
  ...WATCH_ROWS,
  ...IDENTITY_ROWS,
  ...BUDGET_ROWS,
  ...DRIFT_ROWS,
};
