/** The host of the repository that policies come from: can we speak to it, and is its branch protected. */
import { errorMessage } from "../../base/fault.js";
import type { BranchVerdict, GitHost } from "../../review/port.js";
import { judgeProtection } from "../../review/protection.js";
import { bad, doubtful, type Examination, type Finding, good } from "./diagnose.js";

export interface ReviewParts {
  /** `owner/name`; null: policies are files of this machine. */
  readonly repo: string | null;
  /** Null: no credentials. */
  readonly host: Pick<GitHost, "head" | "protection" | "whoAmI"> | null;
  readonly isLocal: boolean;
  /** Notes the verdict for whoever starts runbooks; throws when it cannot be noted. */
  readonly note: (repo: string, verdict: BranchVerdict) => Promise<void>;
}

export function reviewExaminations(parts: ReviewParts): Examination[] {
  const { repo, host, note } = parts;
  if (repo === null) return [{ what: "repository", examine: async () => withoutRepo(parts) }];
  if (host === null) return [{ what: "repository", examine: async () => withoutKey(repo) }];
  return [
    {
      what: "repository",
      examine: async (signal) => {
        const [who, { branch, commit }] = await Promise.all([
          host.whoAmI(signal),
          host.head(signal),
        ]);
        return good(`${repo} as ${who}, ${branch} at ${commit.slice(0, 12)}`);
      },
    },
    {
      what: "branch protection",
      examine: async (signal) => {
        const { branch } = await host.head(signal);
        const verdict = judgeProtection(branch, await host.protection(branch, signal));
        const finding = findingOfVerdict(repo, verdict);
        const trouble = await note(repo, verdict).then(() => null, errorMessage);
        if (trouble === null) return finding;
        return { ...finding, found: `${finding.found} (it could not be noted: ${trouble})` };
      },
    },
  ];
}

function withoutRepo({ isLocal }: ReviewParts): Finding {
  const found = "none: policies are files of this machine, and nobody has to review a change";
  return isLocal ? good(found) : doubtful(found, "set GITOPS_REPO to owner/name");
}

function withoutKey(repo: string): Finding {
  return bad(
    `there are no credentials for ${repo}`,
    "set GITHUB_TOKEN, or the three variables GITHUB_APP_*",
  );
}

export function findingOfVerdict(
  repo: string,
  { branch, verdict, missing }: BranchVerdict,
): Finding {
  if (verdict === "on") return good(`${branch} of ${repo} is protected`);
  if (verdict === "unknown")
    return bad(
      `not known for ${branch} of ${repo}, so automatic runbooks stay off`,
      "give the token or app the permission Administration: read",
    );
  return bad(
    `not on for ${branch} of ${repo}, so automatic runbooks stay off: ${missing.join("; ")}`,
    `correct it in the settings of the repository, under Branches or Rulesets`,
  );
}
