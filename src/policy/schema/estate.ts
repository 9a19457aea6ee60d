/** What infrastructure.yaml may say of network, data, delivery, identity and review; all of it may be left out. */

import { closed, Type } from "../../base/type.js";
import { BUDGETS, DRIFT_MODES } from "../plan-review.js";
import { byName, Duration, PATTERNS, some, Whole } from "./form.js";
import { FRONTEND_KEPT_KEYS, IMAGES_KEPT_KEYS, RUNNING_KEYS } from "./running.js";

const Text = (pattern: string, description: string) => Type.String({ pattern, description });
const Flag = (description: string) => Type.Boolean({ description });

const Network = some({
  cidr: Text(PATTERNS.cidr, "All its addresses, /16 to /20. Default 10.40.0.0/16."),
  nat: Type.Enum(["one", "each", "none"], {
    description: "Ways to the internet: one, one a zone, or none. Default one.",
  }),
});

const Host = {
  host: Text(PATTERNS.host, "The name that people call. Must be written where an account is."),
  certificateArn: Text(
    PATTERNS.certificate,
    "A certificate of ACM. Default: the stack asks for one, and you prove the domain.",
  ),
};

const Frontend = some({
  enabled: Flag("Make the site's bucket (HB-aws-14). Default true."),
  bucket: Text(PATTERNS.bucket, "Default: the cluster's name and -frontend."),
  cdn: Flag("CloudFront before it (HB-aws-16). Default true."),
  ...Host,
  ...FRONTEND_KEPT_KEYS,
});

/** In halves of a capacity unit: check/estate.ts. */
const Capacity = (description: string) =>
  Type.Number({ minimum: 0.5, maximum: 128, description: `${description} In capacity units.` });

const Aurora = some({
  engine: Text(PATTERNS.version, "Version of Aurora PostgreSQL. Default 15.10."),
  min: Capacity("Kept when nothing happens. Default 1."),
  max: Capacity("The most. Default 16."),
  readers: Whole(0, 15, "Instances that only read (HB-aws-11, HB-cli-28). Default 0."),
  readerClass: Text(PATTERNS.databaseClass, "Of each reader. Default db.r6g.large."),
  backupDays: Whole(1, 35, "Days that can be gone back to (HB-aws-10). Default 14."),
  databaseName: Text(PATTERNS.databaseName, "Default algobrain."),
});

const Redis = some({
  engine: Text(PATTERNS.version, "Default 7.1."),
  nodeType: Text(PATTERNS.cacheClass, "At most cache.r6g.large. Default cache.t4g.small."),
  nodes: Whole(2, 3, "One writes, the others take over (HB-aws-12). Default 2."),
});

const Identity = some({
  repo: Text(PATTERNS.repo, "owner/name at GitHub whose workflows plan and apply."),
  ownerId: Text(PATTERNS.digits, "GitHub's number of the owner; with repoId. Default: not used."),
  repoId: Text(PATTERNS.digits, "GitHub's number of the repository. Default: not used."),
  oidcProvider: Type.Enum(["make", "existing"], {
    description: "An account has one: make it, or use that of another environment. Default make.",
  }),
  applyEnvironment: Text(
    PATTERNS.name,
    "The environment at GitHub whose jobs may apply. Default: named like this one.",
  ),
});

const Datadog = some({
  forwarder: Flag("Send all logs to Datadog (HB-aws-20). Default false."),
  forwarderArn: Text(PATTERNS.functionArn, "The Lambda function that does."),
});

const DriftClass = Type.Object(
  {
    types: Type.Array(Text(PATTERNS.resourceType, "Of Terraform."), {
      minItems: 1,
      uniqueItems: true,
    }),
    attributes: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        ...{ minItems: 1, uniqueItems: true },
        description: "Only drift of these. Default: of any.",
      }),
    ),
    mode: Type.Enum([...DRIFT_MODES], {
      description: "Tell it, ask people for a pull request, or put back what was applied.",
    }),
    why: Type.String({ minLength: 10, maxLength: 500, description: "For people." }),
  },
  closed,
);

const BUDGET_WORDS = {
  deletes: "Deleted resources. Default 0.",
  replaces: "Resources made anew. Default 0.",
  changesPercent: "Changed resources, of those that exist. Default 30.",
  statefulDeletes: "Deleted resources that hold data. Default 0.",
  capacityGrowthPercent: "More of what is paid for; 100 is twice as much. Default 100.",
  alarmsRemoved: "Alarms taken away. Default 2.",
} as const;

const Budgets = some({
  deletes: Whole(0, 1000, BUDGET_WORDS.deletes),
  replaces: Whole(0, 1000, BUDGET_WORDS.replaces),
  changesPercent: Whole(0, 100, BUDGET_WORDS.changesPercent),
  statefulDeletes: Whole(0, 1000, BUDGET_WORDS.statefulDeletes),
  capacityGrowthPercent: Whole(0, 10_000, BUDGET_WORDS.capacityGrowthPercent),
  alarmsRemoved: Whole(0, 1000, BUDGET_WORDS.alarmsRemoved),
});

const Review = some({
  budgets: Budgets,
  drift: some({
    classes: byName(DriftClass),
    heals: Whole(0, 100, "Resources that one look puts back at most. Default 3; 0 is none."),
    proposals: Whole(0, 20, "Pull requests for drift that are open at once. Default 5; 0 is none."),
  }),
});

export const Estate = some({
  account: Text(PATTERNS.account, "12 digits, in quotes. Default: none, and nothing is made."),
  azs: Whole(2, 3, "Availability zones. Default 2."),
  network: Network,
  api: some(Host),
  frontend: Frontend,
  aurora: Aurora,
  redis: Redis,
  heartbeatsTable: Text(PATTERNS.name, "HB-aws-13. Default: the cluster's name and -heartbeats."),
  bundleBucket: Text(PATTERNS.bucket, "Of published policies. Default: the cluster's and -policy."),
  policyKeys: Type.Array(Text(PATTERNS.publicKey, "algobrain policy publish --json prints it."), {
    uniqueItems: true,
    description: "Public keys whose bundles are believed. Default: none, and bundles are not read.",
  }),
  registry: some({
    owner: Flag("Make the image repositories: one environment an account. Default true."),
    ...IMAGES_KEPT_KEYS,
  }),
  deadMan: some({
    enabled: Flag("Tell when the orchestrator is silent. Default true."),
    after: Duration("For so long, in whole minutes. Default 3m."),
  }),
  identity: Identity,
  datadog: Datadog,
  review: Review,
  ...RUNNING_KEYS,
});

export const ExceptionsFile = byName(
  Type.Object(
    {
      allows: Type.Enum(
        ["delete", "replace", ...BUDGETS.map((name) => `budget:${name}` as const)],
        {
          description: "What is let through.",
        },
      ),
      address: Text(PATTERNS.address, "aws_s3_bucket.exports, or aws_s3_bucket.* for all."),
      environment: Text(PATTERNS.name, "Where it counts."),
      owner: Text(PATTERNS.name, "A person or a team of access.yaml."),
      reason: Type.String({ minLength: 10, maxLength: 500, description: "Why, for people." }),
      expires: Text(PATTERNS.date, "The last day on which it counts (UTC), 14 days ahead at most."),
    },
    closed,
  ),
);
