/** The verbs of `policy`. Each is loaded when it is called: a check must not wait for databases and clouds to load. */
import { commandOfVerbs, type Verb } from "./command.js";

/** @param load gives the function of the verb's own file in `policy/` */
function verb(usage: string, does: string, load: () => Promise<Verb["run"]>): Verb {
  return { usage, does, run: async (args, io) => (await load())(args, io) };
}

export const policyCommand = commandOfVerbs("policy", {
  check: verb(
    "policy check [DIR] [--format text|github|json] [--json] [--now DAY]",
    "every problem of the policies at its file, line and column",
    async () => (await import("./policy/check.js")).runCheck,
  ),
  show: verb(
    "policy show [PATH] [--env production] [--dir DIR] [--json]",
    "what is in force, and the line or default that says so",
    async () => (await import("./policy/show.js")).runShow,
  ),
  diff: verb(
    "policy diff BASE [--env NAME] [--dir DIR] [--format text|markdown|json] [--out FILE] [--running URL] [--impact FILE]",
    "what has another meaning than in a folder or a commit, and how risky that is",
    async () => (await import("./policy/diff.js")).runDiff,
  ),
  outlets: verb(
    "policy outlets [--env production] [--dir DIR] [--out outlets] [--json]",
    "the alert rules as files for Prometheus, Datadog and Grafana, and what these cannot say",
    async () => (await import("./policy/outlets.js")).runOutlets,
  ),
  impact: verb(
    "policy impact BASE [--env production] [--dir DIR] [--history db|api:URL|prometheus:URL] [--token-file FILE] [--days 30] [--format text|markdown|json] [--out FILE]",
    "what changed alert rules would have done over the samples of the last days, old and new",
    async () => (await import("./policy/impact.js")).runImpact,
  ),
  bundle: verb(
    "policy bundle [--env NAME] [--dir DIR] [--out FILE|-] [--previewed FILE] [--json]",
    "the policies of one environment as one object with its digest, not yet signed",
    async () => (await import("./policy/bundle.js")).runBundle,
  ),
  publish: verb(
    "policy publish --to DIR|s3://BUCKET/KEY|api:URL [--env NAME] [--dir DIR] [--commit SHA] [--if-kinds runtime|all] [--previewed FILE] [--token-file FILE] [--json]",
    "sign them, and put them where the runtime finds them",
    async () => (await import("./policy/publish.js")).runPublish,
  ),
  change: verb(
    "policy change PATH VALUE --reason TEXT [--env NAME] [--dry-run] [--json]",
    "open a pull request that changes one value: the line, what it means, and its number",
    async () => (await import("./policy/change.js")).runChange,
  ),
  status: verb(
    "policy status [--json]",
    "which policy is in force, which was published, and what stands between",
    async () => (await import("./policy/status.js")).runStatus,
  ),
  release: verb(
    "policy release REVISION --reason TEXT",
    "let a held policy go on, because you know better",
    async () => (await import("./policy/release.js")).runRelease,
  ),
  override: verb(
    "policy override PATH VALUE --reason TEXT --for 4h [--owner NAME] [--json]",
    "let one value hold at once, for three days at most; also: policy override list | end ID",
    async () => (await import("./policy/override.js")).runOverride,
  ),
});
