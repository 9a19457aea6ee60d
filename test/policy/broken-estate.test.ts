/** Network, data, delivery and exceptions of plans: what is refused, and at which place. */
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/base/problem.js";
import { checkPolicies } from "../../src/policy/bundle.js";
import { withEdit, withFile } from "./shipped.js";

const COMMON = "policies/algobrain/infrastructure.yaml";
const SCALING = "policies/algobrain/scaling.yaml";
const PRODUCTION = "policies/algobrain/environments/production.yaml";
const STAGING = "policies/algobrain/environments/staging.yaml";

/** What → file → old text → new text, `¦` before each place → what is said there. */
const ESTATES: readonly (readonly [string, string, string, string, readonly string[]])[] = [
  [
    "quarters of a capacity unit",
    STAGING,
    "min: 0.5",
    "min: ¦0.75",
    ["found 0.75, expected steps of 0.5 capacity units"],
  ],
  [
    "less capacity at most than at least",
    STAGING,
    "min: 0.5, max: 4",
    "min: ¦4.5, max: 4",
    ["found min 4.5 and max 4, expected min ≤ max"],
  ],
  [
    "more connections than its memory takes (X-58)",
    COMMON,
    "connectionsMax: 3360",
    "connectionsMax: ¦3400",
    [
      "found 3400, expected at most 3360, which a server of 16 capacity units takes (a larger aurora.max, or fewer connections)",
    ],
  ],
  [
    "cache nodes that are too large (HB-aws-12)",
    COMMON,
    "cache.t4g.small",
    "¦cache.r6g.xlarge",
    [
      'found "cache.r6g.xlarge", expected at most cache.r6g.large (HB-aws-12) (one of cache.t4g.micro, cache.t4g.small, cache.t4g.medium, cache.m6g.large, cache.r6g.large)',
    ],
  ],
  [
    "four cache nodes (HB-aws-12)",
    COMMON,
    "nodes: 2",
    "nodes: ¦4",
    ["found 4, expected at most 3"],
  ],
  ["one cache node", COMMON, "nodes: 2", "nodes: ¦1", ["found 1, expected at least 2"]],
  ["one availability zone", COMMON, "azs: 2", "azs: ¦1", ["found 1, expected at least 2"]],
  ["four availability zones", COMMON, "azs: 2", "azs: ¦4", ["found 4, expected at most 3"]],
  [
    "a network that is too small",
    PRODUCTION,
    "10.40.0.0/16",
    "¦10.40.0.0/24",
    ['found "10.40.0.0/24", expected a network of /16 to /20, such as 10.40.0.0/16'],
  ],
  [
    "an address inside a network",
    PRODUCTION,
    "10.40.0.0/16",
    "¦10.40.24.0/20",
    ['found "10.40.24.0/20", which is an address inside its network (write 10.40.16.0/20)'],
  ],
  [
    "a number of four digits' worth",
    PRODUCTION,
    "10.40.0.0/16",
    "¦10.400.0.0/16",
    ['found "10.400.0.0/16", expected four numbers of at most 255'],
  ],
  [
    "addresses of the internet",
    PRODUCTION,
    "10.40.0.0/16",
    "¦172.32.0.0/16",
    [
      'found "172.32.0.0/16", which are addresses of the internet (a private network: in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16)',
    ],
  ],
  [
    "an account of eleven digits",
    PRODUCTION,
    '"123456789012"',
    '¦"12345678901"',
    ['found "12345678901", expected the 12 digits of an account in quotes, such as "123456789012"'],
  ],
  [
    "an account and no host",
    PRODUCTION,
    'account: "123456789012"\n  cluster: algobrain-prod # HB-aws-01\n  network: { cidr: 10.40.0.0/16, nat: one }\n  api: { host: api.algobrain.doctor }',
    'account: ¦"123456789012"\n  cluster: algobrain-prod\n  api: {}',
    [
      "found an account and no api.host, for which a certificate could be made (write the name that people call under infrastructure.api)",
    ],
  ],
  [
    "a certificate that CloudFront does not read",
    PRODUCTION,
    "host: dashboard.algobrain.doctor",
    "host: dashboard.algobrain.doctor\n    certificateArn: ¦arn:aws:acm:eu-west-1:123456789012:certificate/abc",
    [
      'found "arn:aws:acm:eu-west-1:123456789012:certificate/abc" of eu-west-1, expected us-east-1: all CloudFront takes',
    ],
  ],
  [
    "a bucket for two things",
    PRODUCTION,
    "bundleBucket: algobrain-policy-prod",
    "bundleBucket: ¦algobrain-exports",
    ['found "algobrain-exports", which is exportsBucket, too'],
  ],
  [
    "an owner's number alone",
    COMMON,
    "repo: Algodons/AlgoBrainDoctor",
    'repo: Algodons/AlgoBrainDoctor, ownerId: ¦"1"',
    [`found "1" without repoId: both or neither (gh api repos/OWNER/NAME --jq '.owner.id, .id')`],
  ],
  [
    "a dead man's switch of 90 seconds",
    COMMON,
    "after: 3m",
    "after: ¦90s",
    ['found "90s", expected whole minutes, 1m to 1h'],
  ],
  [
    "a dead man's switch of a day",
    COMMON,
    "after: 3m",
    "after: ¦1d",
    ['found "1d", expected whole minutes, 1m to 1h'],
  ],
  [
    "fewer images than any rollback needs",
    COMMON,
    "keptImages: 1000",
    "keptImages: ¦99",
    ["found 99, expected at least 100"],
  ],
  [
    "a deletion of the key that AWS does not wait for",
    COMMON,
    "deletionDays: 30",
    "deletionDays: ¦31",
    ["found 31, expected at most 30"],
  ],
  [
    "a promise of HTTPS that no list of preloads takes",
    COMMON,
    "httpsOnlyDays: 365",
    "httpsOnlyDays: ¦180",
    ["found 180, expected at least 365"],
  ],
  [
    "a longer stop than Fargate's",
    COMMON,
    "stopTimeout: 2m",
    "stopTimeout: ¦3m",
    ['found "3m", expected whole seconds, 30s to 2m'],
  ],
  [
    "half a second to drain",
    COMMON,
    "drain: 30s",
    "drain: ¦500ms",
    ['found "500ms", expected whole seconds, 0s to 1h'],
  ],
  [
    "an answer that is due after the next question",
    COMMON,
    "checkEvery: 15s, checkTimeout: 5s",
    "checkEvery: 5s, checkTimeout: ¦6s",
    ["found checkTimeout 6s and checkEvery 5s, expected checkTimeout < checkEvery"],
  ],
  [
    "a balancer that asks faster than it is answered",
    COMMON,
    "  checkEvery: 15s\n  checkTimeout: 5s",
    "  checkEvery: ¦5s",
    ["found checkTimeout 5s and checkEvery 5s, expected checkTimeout < checkEvery"],
  ],
  [
    "one good answer",
    COMMON,
    "healthyAfter: 2\n",
    "healthyAfter: ¦1\n",
    ["found 1, expected at least 2"],
  ],
  [
    "files that are kept longer than they may be",
    COMMON,
    "cached: 1d, cachedAtMost: 365d",
    "cached: ¦2d, cachedAtMost: 1d",
    ["found cached 2d and cachedAtMost 1d, expected cached ≤ cachedAtMost"],
  ],
  [
    "a year and a day at the edge",
    COMMON,
    "cachedAtMost: 365d",
    "cachedAtMost: ¦366d",
    ['found "366d", expected whole seconds, 1s to 365d'],
  ],
  [
    "nothing kept at the edge, which CloudFront takes only from who does without compression",
    COMMON,
    "cached: 1d, cachedAtMost: 365d",
    "cached: 0s, cachedAtMost: ¦0s",
    ['found "0s", expected whole seconds, 1s to 365d'],
  ],
  [
    "a database task that Fargate does not offer",
    COMMON,
    "databaseTask: { cpu: 256, memoryMiB: 512 }",
    "databaseTask: { cpu: 256, memoryMiB: ¦4096 }",
    ["found 4096, expected 512 to 2048 with cpu 256"],
  ],
  [
    "a database task with more cpu, and as little memory as before",
    COMMON,
    "databaseTask: { cpu: 256, memoryMiB: 512 }",
    "databaseTask: { cpu: ¦1024 }",
    ["found memoryMiB 512, expected 2048 to 8192 with cpu 1024"],
  ],
  [
    "two executors",
    SCALING,
    "executor: # one runs what people ask for; what it did when it stopped is taken up again\n  min: 1\n  max: 1",
    "executor:\n  min: 1\n  max: ¦2",
    ["found 2, expected 1: there is one executor"],
  ],
];

describe("an estate", () => {
  it.each(ESTATES)("with %s is answered at its place", (_, path, from, to, said) => {
    const { files, places } = withEdit(path, from, to);
    const found = checkPolicies(files).map(formatProblem);
    // What the common files say wrongly is found once more where an environment changes the section.
    expect([...new Set(found)]).toEqual(said.map((words, at) => `${places[at]}: ${words}`));
  });

  it("takes 2000 connections at most while its least capacity is below one unit (X-58)", () => {
    const { files } = withEdit(COMMON, "min: 1 #", "min: 0.5 #");
    expect(checkPolicies(files).map(formatProblem)[0]).toContain(
      "found 3360, expected at most 2000: Aurora gives no more while aurora.min is below 1 (write aurora.min: 1)",
    );
  });
});

describe("a deployment", () => {
  it("of more workers at once than the server has connections for is refused (X-58)", () => {
    const { files } = withEdit(COMMON, "workersPercent: 110", "workersPercent: 120");
    expect(checkPolicies(files).map(formatProblem)[0]).toContain(
      "found 3360, expected more than 3380: 166 tasks × poolSize 20 + reserve 60 (X-58)",
    );
  });
});

const PATH = "policies/algobrain/exceptions.yaml";
const EXCEPTION = `move-exports:
  allows: delete
  address: aws_s3_bucket.exports
  environment: staging
  owner: example-operator
  reason: The bucket was copied and read back.
  expires: 2026-12-06
`;

const EXCEPTIONS: readonly (readonly [string, string, string, string | null])[] = [
  ["fourteen days", "2026-12-06", "2026-12-06", null],
  ["today", "2026-12-06", "2026-11-22", null],
  ["all of a type", "bucket.exports", "bucket.*", null],
  ["one of a list", "aws_s3_bucket.exports", `'aws_subnet.private["a"]'`, null],
  ["a budget", "allows: delete", "allows: budget:alarmsRemoved", null],
  [
    "fifteen days",
    "2026-12-06",
    "2026-12-07",
    'found "2026-12-07", expected at most 14 days from today: 2026-12-06 (what is needed for longer is another budget)',
  ],
  [
    "yesterday",
    "2026-12-06",
    "2026-11-21",
    'found "2026-11-21", which is past: today is 2026-11-22 (take the exception out)',
  ],
  ["a day that is none", "2026-12-06", "2026-11-31", 'found "2026-11-31", which is no day'],
  [
    "all there is",
    "aws_s3_bucket.exports",
    '"*"',
    'found "*", expected an address such as aws_s3_bucket.exports, or aws_s3_bucket.*',
  ],
  [
    "half a name",
    "bucket.exports",
    "bucket.exp*",
    'found "aws_s3_bucket.exp*", expected an address such as aws_s3_bucket.exports, or aws_s3_bucket.*',
  ],
  ["a budget that there is not", "allows: delete", "allows: budget:all", "budget:all"],
  [
    "nobody",
    "example-operator",
    "example-oprator",
    'unknown owner "example-oprator" (did you mean "example-operator"?)',
  ],
];

describe("an exception of a plan", () => {
  it.each(EXCEPTIONS)("for %s", (_, from, to, said) => {
    const files = withFile(
      PATH,
      EXCEPTION.replace(from, () => to),
    );
    const found = checkPolicies(files, { today: "2026-11-22", runbookFiles: null });
    const words = found.map(formatProblem);
    if (said === null) expect(words).toEqual([]);
    else expect(words).toEqual([expect.stringContaining(said)]);
  });

  it("does not fail by the date where no day is given", () => {
    const files = withFile(PATH, EXCEPTION.replace("2026-12-06", "2020-01-01"));
    expect(checkPolicies(files)).toEqual([]);
  });
});
