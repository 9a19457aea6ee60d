/** The verbs of `infra`. Each is loaded when it is called: judging a plan must not wait for clouds to load. */
import { commandOfVerbs, type Verb } from "./command.js";

/** @param load gives the function of the verb's own file in `infra/` */
function verb(usage: string, does: string, load: () => Promise<Verb["run"]>): Verb {
  return { usage, does, run: async (args, io) => (await load())(args, io) };
}

export const infraCommand = commandOfVerbs("infra", {
  check: verb(
    "infra check DIR [--policies DIR]",
    "whether stacks that a branch has made fit the provider's schema, and reach for nothing but our resources",
    async () => (await import("./infra/check.js")).runCheck,
  ),
  "running-tag": verb(
    "infra running-tag [--env production] [--policies DIR] [--else COMMIT] [--github-env FILE]",
    "the commit whose images an environment runs: a plan is made with it, so that it never deploys code",
    async () => (await import("./infra/running-tag.js")).runRunningTag,
  ),
  plan: verb(
    "infra plan --env ENVIRONMENT [--dir cdktf.out/stacks] [--out plans] [--stack STACK] [--plugin-dir DIR] [--github-output FILE]",
    "plan the synthesized stacks in their order, by the real Terraform; changes nothing",
    async () => (await import("./infra/plan.js")).runPlan,
  ),
  review: verb(
    "infra review --plans DIR|--plan STACK=FILE… [--env production] [--policies DIR] [--url URL] [--token-file FILE] [--markdown FILE] [--json]",
    "what saved plans change, by risk, and whether the budgets of the policies stop them",
    async () => (await import("./infra/review.js")).runReview,
  ),
  seal: verb(
    "infra seal --dir DIR --stack NAME [--env production] [--policies DIR]",
    "bind the saved plan of a folder to its commit, policies, providers and state",
    async () => (await import("./infra/seal.js")).runSeal,
  ),
  guard: verb(
    "infra guard --dir DIR --stack NAME [--env production] [--policies DIR]",
    "refuse a sealed plan when anything that it was made of has changed since",
    async () => (await import("./infra/guard.js")).runGuard,
  ),
  apply: verb(
    "infra apply --dir DIR --stack NAME [--env production] [--policies DIR] [--plugin-dir DIR]",
    "apply the sealed plan of a folder, after the last look at what it was sealed to",
    async () => (await import("./infra/apply.js")).runApply,
  ),
  prepare: verb(
    "infra prepare [--env production] [--policies DIR]",
    "before services are made: run the task that prepares the database and the secrets, once, and name what a person has to fill",
    async () => (await import("./infra/prepare.js")).runPrepare,
  ),
  unlock: verb(
    'infra unlock --env ENVIRONMENT --stack NAME [--lock ID] [--gone "HOW YOU KNOW"] [--dir cdktf.out/stacks] [--plugin-dir DIR]',
    "who holds the lock of a state, and frees it when its holder is gone",
    async () => (await import("./infra/unlock.js")).runUnlock,
  ),
  adopt: verb(
    "infra adopt --env ENVIRONMENT --estate FILE [--dir cdktf.out/stacks] [--missing]",
    "write import blocks for an estate that was made by hand",
    async () => (await import("./infra/adopt.js")).runAdopt,
  ),
  "build-image": verb(
    "infra build-image --service api|orchestrator|workers|executor [--push [--attempt N]] [--env production] [--policies DIR]",
    "build the image of one service from this checkout, called by its commit; --push brings it to the registry",
    async () => (await import("./infra/build-image.js")).runBuildImage,
  ),
  "deploy-gate": verb(
    "infra deploy-gate --tag COMMIT --confirm WORD [--from staging] [--policies DIR]",
    "whether a commit may go to production: typed whole, merged, and run by staging (exit 1: it may not)",
    async () => (await import("./infra/deploy-gate.js")).runDeployGate,
  ),
  deploy: verb(
    "infra deploy --env ENVIRONMENT --tag COMMIT --url URL --token-file FILE [--reason TEXT]",
    "have a running service deploy one commit, and follow it to its end",
    async () => (await import("./infra/deploy.js")).runDeploy,
  ),
  drift: verb(
    "infra drift --plans DIR|--plan STACK=FILE|STACK=error:TEXT… [--env production] [--policies DIR] [--url URL] [--token-file FILE] [--markdown FILE] [--state-file FILE] [--heals-file FILE] [--propose] [--json]",
    "what was changed by hand, and who stands for it (exit 0 clean or known, 2 drifted, 1 not known); --propose has the runtime open pull requests",
    async () => (await import("./infra/drift.js")).runDrift,
  ),
  "heal-plan": verb(
    "infra heal-plan --heals FILE [--env production] [--policies DIR] [--dir cdktf.out/stacks] [--out heals] [--plugin-dir DIR] [--github-output FILE]",
    "plan and seal what a look at drift has chosen to put back; changes nothing",
    async () => (await import("./infra/heal-plan.js")).runHealPlan,
  ),
  heal: verb(
    "infra heal --url URL [--heals heals] [--token-file FILE] [--env production] [--policies DIR] [--dir cdktf.out/stacks] [--plugin-dir DIR]",
    "put drift back by the sealed plans of heal-plan, unless somebody stands for it now, and look again",
    async () => (await import("./infra/heal.js")).runHeal,
  ),
  issue: verb(
    "infra issue --key NAME --file REPORT.md --state-file FILE [--run URL] [--repo OWNER/NAME]",
    "keep one issue up to date with a report, and close it when the state is clean; with --run it says when there is no report",
    async () => (await import("./infra/issue.js")).runIssue,
  ),
});
