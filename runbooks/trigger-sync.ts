/** Starts a sync by hand, after a look at what it reads from (RB-42). */
import { MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, RepoName, Type } from "../src/runbook/define.js";
import { jobVerdict, submitStep } from "../src/runbook/followed-job.js";

const ASK = "put the sync in";
const FOLLOWED_MS = 30 * MINUTE_MS;

type Params = { repo?: string; org?: string };

export default defineRunbook({
  name: "trigger-sync",
  aliases: ["sync"],
  title: "Reads anew what changed in repositories, also what no webhook told",
  danger: "V",
  params: Type.Object(
    {
      repo: Type.Optional(
        Type.Unsafe<string>({
          ...RepoName,
          description: "id, org/name or name of a repository; default: all with a copy here",
        }),
      ),
      org: Type.Optional(
        Type.String({
          pattern: "^[A-Za-z0-9][A-Za-z0-9-]{0,38}$",
          description: "an organisation or user on GitHub, with missed webhooks",
        }),
      ),
    },
    { additionalProperties: false },
  ),
  positional: ["repo"],
  locks: ({ repo, org }) => [`sync-${org ?? repo ?? "all"}`],
  timeoutMs: FOLLOWED_MS + MINUTE_MS,
  touches: { database: ["jobs:read", "workload:read", "jobs:submit", "jobs:cancel"] },
  guide:
    "Webhooks that GitHub could not deliver are not sent again by it: org=NAME reads its log of deliveries, and takes in what is missing.",
  plan: async ({ params, workload, system }) => {
    const { repo: text, org } = params;
    if (text !== undefined && org !== undefined)
      throw fault.refused("PARAMS_CONFLICT", "repo and org were given, expected one of them");
    const repo = text === undefined ? null : await workload.repo(text);
    if (text !== undefined && repo === null)
      throw fault.refused("REPO_UNKNOWN", `there is no one repository called "${text}"`);
    const github = (await system.dependencies()).find(({ name }) => name === "github");
    const waits = github && (github.state !== "closed" || github.gateUntil !== null);
    const what = repo ? `${repo.name} (${repo.id})` : (org ?? "all repositories with a copy here");
    return {
      text: `sync of ${what}${waits ? `; GitHub is ${github.state}${github.reason ? ` (${github.reason})` : ""}: what needs it will wait` : ""}`,
      changes: [`put in a sync job for ${what}`],
      ...(repo ? { facts: { repo: repo.id } } : {}),
    };
  },
  steps: [
    submitStep<Params>(
      ASK,
      ({ params, plan }) => ({ kind: "sync", payload: payloadOf(params, plan.facts?.repo) }),
      () => "asked for by a person",
    ),
  ],
  verify: {
    withinMs: () => FOLLOWED_MS,
    everyMs: 1_000,
    check: (context) => jobVerdict(context, ASK),
  },
  next: () => "/algobrain queue-depth",
});

function payloadOf({ org }: Params, repo: unknown): { [key: string]: string } {
  if (typeof repo === "string") return { repo_id: repo };
  return org === undefined ? {} : { org_name: org };
}
