/** Whether people of a repository can be read: its place, then a sample job (RB-44, HB-op-39, HB-cli-35). */
import { MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, RepoName, Type } from "../src/runbook/define.js";
import { jobVerdict, submitStep } from "../src/runbook/followed-job.js";

const ASK = "put a sample identity job in";
const FOLLOWED_MS = 20 * MINUTE_MS;

type Params = { repo: string; full: boolean };

export default defineRunbook({
  name: "debug-identity-worker",
  aliases: ["debug-identity"],
  title: "Looks whether the people of a repository can be read",
  danger: "V",
  params: Type.Object(
    {
      repo: RepoName,
      full: Type.Boolean({
        default: false,
        description: "true reads the whole history, not only what is new",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["repo"],
  locks: ({ repo }) => [`repo-${repo}`],
  timeoutMs: FOLLOWED_MS + MINUTE_MS,
  touches: { database: ["jobs:read", "workload:read", "jobs:submit", "jobs:cancel"] },
  guide:
    "A repository without a copy on the workers' machine is cloned from GitHub without its contents: this shows whether the credentials reach it. The result of the job says how many commits and people it read.",
  plan: async ({ params, workload, system }) => {
    const repo = await workload.repo(params.repo);
    if (repo === null)
      throw fault.refused("REPO_UNKNOWN", `there is no one repository called "${params.repo}"`, {
        hint: "index the folder or the organisation that holds it",
      });
    const github = (await system.dependencies()).find(({ name }) => name === "github");
    const places = [
      repo.location === null ? "no copy on a worker's machine" : `a copy at ${repo.location}`,
      repo.onGithub
        ? `GitHub, which is ${github?.state ?? "not called yet"}`
        : "not known to GitHub",
      repo.archived ? "archived" : "in use",
    ];
    return {
      text: `${repo.name} (${repo.id}): ${places.join("; ")}; head ${repo.headCommit ?? "unknown"}`,
      changes: [`put in an identity job for ${repo.name}`],
      facts: { repo: repo.id },
    };
  },
  steps: [
    submitStep<Params>(
      ASK,
      ({ plan, params: { full } }) => ({
        kind: "identity",
        payload: { repo_id: String(plan.facts?.repo), ...(full ? { full } : {}) },
        priority: 9,
      }),
      () => "a sample, asked for by a person",
    ),
  ],
  verify: {
    withinMs: () => FOLLOWED_MS,
    everyMs: 1_000,
    check: (context) => jobVerdict(context, ASK),
  },
  next: () => "/algobrain list-quarantine",
});
