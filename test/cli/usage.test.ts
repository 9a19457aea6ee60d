/** What is asked wrongly: exit code 2, one sentence that says what would do, and the form that was meant. */
import { describe, expect, test } from "vitest";
import { FILTER_USAGE, PAGE_USAGE } from "../../src/cli/job-filter.js";
import { policyCommand } from "../../src/cli/policy.js";
import { runbookCommand } from "../../src/cli/runbook.js";
import { cli } from "./support.js";

const USAGES = {
  serve: "serve [--role all|api|orchestrator|worker|executor] [--kinds index,score] [--port 3001]",
  gameday: "gameday [--json] [--logs FILE]",
  list: `jobs list ${PAGE_USAGE} [--json]`,
  show: "jobs show ID [--json]",
  why: "jobs why ID [--json]",
  add: "jobs add TYPE [JSON]",
  retry: "jobs retry ID [--reason TEXT] [--force]",
  retryAll: `jobs retry-all ${FILTER_USAGE} --reason TEXT [--confirm TOKEN]`,
  cancelAll: `jobs cancel-all ${FILTER_USAGE} --reason TEXT [--confirm TOKEN]`,
  run: 'runbook run NAME [VALUE…] [--PARAMETER VALUE…] [--reason "…"] [--dry-run] [--drill] [--json] [--offline]',
  trust: 'runbook trust [NAME] [--reset --reason "…"] [--json]',
  rollback: "db rollback NAME",
  migrate: "db migrate [--dry-run]",
  restore: "db restore PATH --into URL|embedded",
  synth: "synth [--env production|all] [--policies DIR] [--out cdktf.out] [--json]",
  token:
    "token --role viewer|operator|admin [--ttl 1h] [--subject NAME] [--reason TEXT] [--purpose drift]",
  revoke: "token revoke ID --reason TEXT",
  policyCheck: "policy check [DIR] [--format text|github|json] [--json] [--now DAY]",
  policyChange: "policy change PATH VALUE --reason TEXT [--env NAME] [--dry-run] [--json]",
  comment: "comment --key NAME --pr NUMBER --file REPORT.md [--repo OWNER/NAME]",
};

const JOBS_FORMS = Object.values(USAGES).slice(2, 9);
/** They grow with every round: what is meant is that all of them are shown. */
const POLICY_USAGES = policyCommand.forms.map(({ usage }) => usage);
const RUNBOOK_USAGES = runbookCommand.forms.map(({ usage }) => usage);
const AUDIT_USAGES = [
  "audit verify [--anchors PLACE] [--json]",
  "audit anchor [--anchors PLACE] [--json]",
];
const STATUSES = "pending, running, completed, failed, quarantined, cancelled";
const TYPES = /types are index, identity, score, ingest,/;

/** The words → the sentence → the forms that are shown. */
const CASES: readonly (readonly [string, string | RegExp, readonly string[]])[] = [
  ["serve now", 'serve: unexpected "now"', [USAGES.serve]],
  [
    "serve --role boss",
    'serve: --role: found "boss", expected all, api, orchestrator, worker, executor',
    [USAGES.serve],
  ],
  [
    "serve --role workr",
    'expected all, api, orchestrator, worker, executor (did you mean "worker"?)',
    [USAGES.serve],
  ],
  ["serve --port x", '--port: found "x", expected a whole number from 0 to 65535', [USAGES.serve]],
  ["serve --port 65536", '--port: found "65536", expected', [USAGES.serve]],
  ["serve --port", "--port needs a value after it", [USAGES.serve]],
  ["serve --kinds index", "--lane and --kinds go with --role worker", [USAGES.serve]],
  ["serve --role worker --kinds indx", '(did you mean "index"?)', [USAGES.serve]],
  ["gameday x", 'gameday: unexpected "x"', [USAGES.gameday]],
  ["gameday --jsn", 'unknown option "--jsn" (did you mean "--json"?)', [USAGES.gameday]],
  ["index", "index: PATH is missing", ["index PATH"]],
  ["index a b", 'index: unexpected "b"', ["index PATH"]],
  ["index --all", 'unknown option "--all" (known are none)', ["index PATH"]],
  ["jobs", "jobs: expected one of list, show, why, add, retry, retry-all, cancel-all", JOBS_FORMS],
  ["jobs shwo job-1", 'unknown command "jobs shwo" (did you mean "show"?)', JOBS_FORMS],
  ["jobs __proto__", 'unknown command "jobs __proto__" (expected one of list', JOBS_FORMS],
  ["jobs list job-1", 'unexpected "job-1"', [USAGES.list]],
  ["jobs list --limit 0", '--limit: found "0", expected 1 to 200', [USAGES.list]],
  ["jobs list --limit 1e2", '--limit: found "1e2", expected 1 to 200', [USAGES.list]],
  ["jobs list --limit --json", "--limit needs a value after it", [USAGES.list]],
  ["jobs list --json=yes", "--json takes no value", [USAGES.list]],
  ["jobs list --status faled", `expected ${STATUSES} (did you mean "failed"?)`, [USAGES.list]],
  ["jobs list --type scor", '(did you mean "score"?)', [USAGES.list]],
  ["jobs list --since soon", "or how long ago, such as 24h", [USAGES.list]],
  ["jobs list --priority 11", '--priority: found "11", expected 1 to 10', [USAGES.list]],
  ["jobs list --parent 7", 'found "7", expected a job id such as job-123', [USAGES.list]],
  ["jobs retry-all --status failed", "--reason is missing", [USAGES.retryAll]],
  ["jobs retry-all --reason x", "which jobs?", [USAGES.retryAll]],
  ["jobs cancel-all --status failed --limit 3", 'unknown option "--limit"', [USAGES.cancelAll]],
  ["jobs why", "jobs: ID is missing", [USAGES.why]],
  ["jobs list --force", 'unknown option "--force"', [USAGES.list]],
  ["jobs show", "jobs: ID is missing", [USAGES.show]],
  ["jobs show 7", 'found "7", expected a job id such as job-123', [USAGES.show]],
  ["jobs show job-0", 'found "job-0", expected a job id such as job-123', [USAGES.show]],
  ["jobs show job-99999999999999999999", "expected a job id such as job-123", [USAGES.show]],
  ["jobs retry job-1;drop", "expected a job id such as job-123", [USAGES.retry]],
  ["jobs retry job-1 --reason", "--reason needs a value after it", [USAGES.retry]],
  ["jobs add", "jobs: TYPE is missing", [USAGES.add]],
  ["jobs add scor", 'unknown job type "scor" (did you mean "score"?)', [USAGES.add]],
  ["jobs add frobnicate", TYPES, [USAGES.add]],
  ["jobs add runbook", "to start a runbook: algobrain runbook run NAME", [USAGES.add]],
  ["jobs add score [1]", "payload: found [1], expected a JSON object such as", [USAGES.add]],
  ["jobs add score {", "payload: found {, expected a JSON object such as", [USAGES.add]],
  ['jobs add score {"a":1,"a":2}', 'payload: found the key "a" twice in one object', [USAGES.add]],
  ["runbook", "runbook: expected one of list, show, run", RUNBOOK_USAGES],
  ["runbook run", "runbook: NAME is missing", [USAGES.run]],
  ["runbook trust drain --reset", 'unknown runbook "drain"', [USAGES.trust]],
  ["runbook trust pause-queue --reset", "--reset needs NAME and --reason", [USAGES.trust]],
  ["runbook run reun-job", 'unknown runbook "reun-job" (did you mean "rerun-job"?)', [USAGES.run]],
  ["runbook show frobnicate", "(see: algobrain runbook list)", ["runbook show NAME [--json]"]],
  [
    "runbook run rerun-job",
    'rerun-job needs "job": a job id such as job-123\ncall: algobrain runbook run rerun-job JOB',
    [USAGES.run],
  ],
  [
    "runbook run rerun-job seven",
    '"job": found "seven", expected a job id such as job-123',
    [USAGES.run],
  ],
  ["runbook run rerun-job --jbo job-1", 'no parameter "jbo", did you mean "job"?', [USAGES.run]],
  ["runbook run rerun-job --job", "--job needs a value after it", [USAGES.run]],
  ["policy", "policy: expected one of check, show, diff", POLICY_USAGES],
  ["policy chek", '(did you mean "check"?)', POLICY_USAGES],
  ["policy check a b", 'unexpected "b"', [USAGES.policyCheck]],
  ["policy change retention.jobs_retention_days 9", "--reason is missing", [USAGES.policyChange]],
  [
    "comment --key policy --pr x --file y",
    "expected the number of a pull request",
    [USAGES.comment],
  ],
  ["synth production", 'unexpected "production"', [USAGES.synth]],
  [
    "synth --env prod",
    '--env: found "prod", expected local, production, staging, all (did you mean "production"?)',
    [USAGES.synth],
  ],
  [
    "token",
    "token: --role is missing, expected viewer, operator, admin",
    [USAGES.token, USAGES.revoke],
  ],
  ["token --role root", '--role: found "root", expected viewer, operator, admin', [USAGES.token]],
  ["token --role admin --ttl 5", '--ttl: found "5", expected a duration such as', [USAGES.token]],
  ["token --role admin --ttl 0s", '--ttl: found "0s", expected a duration such as', [USAGES.token]],
  [
    "token --role admin --ttl 2h --reason x",
    '--ttl: found "2h", expected 1h at most for role admin',
    [USAGES.token],
  ],
  [
    "token --role admin",
    "--reason is missing: a token for an admin goes to the audit",
    [USAGES.token],
  ],
  ["token revoke", "token: ID is missing", [USAGES.revoke]],
  ["token revoke 7f3a", "--reason is missing: it goes to the audit", [USAGES.revoke]],
  [
    "token revoke a.b.c --reason x",
    "found what looks like a token, expected its id",
    [USAGES.revoke],
  ],
  ["db url now", 'unexpected "now"', ["db url"]],
  ["db migrate 006", 'unexpected "006"', [USAGES.migrate]],
  ["db migrate --dryrun", '(did you mean "--dry-run"?)', [USAGES.migrate]],
  ["db rollback", "db: NAME is missing", [USAGES.rollback]],
  ["db restore x", '--into is missing: name the empty database, or "embedded"', [USAGES.restore]],
  ["db restore x --into y", "expected a URL that starts with postgresql://", [USAGES.restore]],
  ["audit", "audit: expected one of verify", AUDIT_USAGES],
  ["audit verfy", '(did you mean "verify"?)', AUDIT_USAGES],
];

describe("asked wrongly", () => {
  test.each(CASES)("%s", async (words, sentence, usages) => {
    const { code, out, err } = await cli(words.split(" "));
    expect({ code, out }).toEqual({ code: 2, out: "" });
    if (typeof sentence === "string") expect(err).toContain(sentence);
    else expect(err).toMatch(sentence);
    const shown = err.split("\n").filter((line) => line.startsWith("usage: "));
    expect(shown).toEqual(usages.map((usage) => `usage: algobrain ${usage}`));
  });

  test.each([
    [["jobs", "show", ""], "found nothing where ID was expected"],
    [["index", ""], "found nothing where PATH was expected"],
    [["policy", "check", ""], "found nothing where [DIR] was expected"],
    [["synth", "--policies", ""], "--policies: found nothing, expected a value"],
    [["jobs", "list", "--status="], "--status: found nothing, expected a value"],
  ])("a word that turned out empty, as of an unset variable: %j", async (args, sentence) => {
    const { code, err } = await cli(args);
    expect(code).toBe(2);
    expect(err).toContain(sentence);
  });

  test.each([
    ["polcy", 'unknown command "polcy" (did you mean "policy"?)'],
    ["job", 'unknown command "job" (did you mean "jobs"?)'],
    ["frobnicate", 'unknown command "frobnicate" (see: algobrain help)'],
    ["--frob", 'unknown command "--frob" (see: algobrain help)'],
  ])("a command that nobody knows: %s", async (word, sentence) => {
    expect(await cli([word])).toEqual({ code: 2, out: "", err: `${sentence}\n` });
  });
});

describe("help", () => {
  test.each([[[]], [["help"]], [["--help"]], [["-h"]]])("%j lists every form", async (args) => {
    const { code, out, err } = await cli(args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const form of ["jobs show ID", "runbook run NAME", "db backup [ENV]", "audit verify"])
      expect(out).toMatch(new RegExp(`^${form.replace(/[[\]]/g, "\\$&")} .*\\w`, "m"));
    expect(out).toContain("Exit codes: 0 ok, 1 findings or failure, 2 usage");
  });

  test.each([[["jobs", "--help"]], [["jobs", "-h"]], [["help", "jobs"]]])(
    "%j shows the forms with their options",
    async (args) => {
      const { code, out } = await cli(args);
      expect(code).toBe(0);
      for (const usage of JOBS_FORMS) expect(out).toContain(`algobrain ${usage}\n    `);
    },
  );

  test.each([[["jobs", "retry", "--help"]], [["help", "jobs", "retry"]]])(
    "%j shows the one form",
    async (args) => {
      const { code, out } = await cli(args);
      expect(code).toBe(0);
      expect(out.split("\n")[0]).toBe(`algobrain ${USAGES.retry}`);
      expect(out.match(/^algobrain /gm)).toHaveLength(1);
    },
  );

  test("the version is that of the package", async () => {
    expect(await cli(["--version"])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});
