/** `policy change PATH VALUE`: the line that changes, what that means, and the pull request for it. */
import { systemClock } from "../../base/clock.js";
import { fault } from "../../base/fault.js";
import { formatProblem, type Problem } from "../../base/problem.js";
import { openGitHost } from "../../main/git-host.js";
import type { Change } from "../../policy/change.js";
import type { Edited } from "../../policy/edit.js";
import { parsePolicyPath } from "../../policy/path.js";
import { SECTIONS } from "../../policy/schema.js";
import type { Scalar } from "../../policy/tree.js";
import type { ChangeOutcome, ChangeRequest } from "../../review/change-request.js";
import type { GitHost } from "../../review/port.js";
import { createProposeChange, planOnHost } from "../../runtime/change.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { openConfig, withDatabase } from "../settings.js";

/** For all calls together. */
const DEADLINE_MS = 120_000;

export async function runChange(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, operands } = parseCommandLine(
    args,
    {
      env: { type: "string" },
      reason: { type: "string" },
      "dry-run": { type: "boolean" },
      json: { type: "boolean" },
    },
    ["PATH", "VALUE"],
  );
  const { reason } = values;
  if (reason === undefined) throw new UsageError("--reason is missing: reviewers read it");
  const config = await openConfig(io);
  const request: ChangeRequest = {
    changes: [{ path: readPath(operands[0]), value: readScalar(operands[1]) }],
    environment: values.env ?? config.environment,
    ...{ reason, by: io.actor },
  };
  const { environment } = config;
  const host = openGitHost(config) ?? refuseUnconfigured();
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const outcome = values["dry-run"]
    ? await preview(host, request, signal)
    : await withDatabase(io, (db) =>
        createProposeChange({ host, db, now: () => systemClock.now(), environment })(
          request,
          signal,
        ),
      );
  if (values.json) io.out(JSON.stringify(outcome));
  else tell(outcome, io);
  return outcome.outcome === "invalid" ? EXIT_FAILED : EXIT_OK;
}

interface Preview {
  readonly outcome: "preview";
  readonly changes: readonly Change[];
  readonly edited: readonly Edited[];
}

async function preview(
  host: GitHost,
  request: ChangeRequest,
  signal: AbortSignal,
): Promise<Preview | ChangeOutcome> {
  const { planned } = await planOnHost(host, request, signal);
  if (planned.outcome !== "planned") return planned;
  const { changes, edited } = planned.plan;
  return { outcome: "preview", changes, edited };
}

function readPath(text: string) {
  const path = parsePolicyPath(text);
  if (path !== null && path.length > 1) return path;
  const example = "expected one such as retention.events_retention_days";
  throw new UsageError(
    `PATH: found "${text}", ${example}; it begins with one of ${SECTIONS.join(", ")}`,
  );
}

/** As YAML reads it: a number, true, false, null, or a text, which may stand in quotes to be nothing else. */
export function readScalar(text: string): Scalar {
  if (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)) return Number(text);
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  return /^".*"$|^'.*'$/s.test(text) ? text.slice(1, -1) : text;
}

function refuseUnconfigured(): never {
  throw fault.refused(
    "GITOPS_NOT_CONFIGURED",
    "no repository is configured to propose a change to",
    {
      hint: "set GITOPS_REPO, and GITHUB_TOKEN or the three GITHUB_APP_* variables; or edit policies/ yourself",
    },
  );
}

function tell(outcome: Preview | ChangeOutcome, io: CommandIo): void {
  if (outcome.outcome === "nothing-to-change") io.out("nothing to change: it says so already");
  else if (outcome.outcome === "invalid") tellProblems(outcome.problems, io);
  else {
    for (const { file, line, before, after } of outcome.edited) {
      io.out(`${file.path}:${line}`);
      if (before !== "") io.out(`-${before}`);
      io.out(`+${after}`);
    }
    for (const { risk, subject, words } of outcome.changes) io.out(`${risk}  ${subject}  ${words}`);
    if (outcome.outcome === "preview") io.out("nothing was opened (--dry-run)");
    else {
      const { number, url } = outcome.pullRequest;
      const was = outcome.outcome === "opened" ? "" : " (it was open already)";
      io.out(`pull request #${number} ${url}${was}`);
    }
  }
}

function tellProblems(problems: readonly Problem[], io: CommandIo): void {
  for (const problem of problems) io.out(formatProblem(problem));
  io.err(
    `${problems.length} ${problems.length === 1 ? "problem" : "problems"}: nothing was opened`,
  );
}
