/**
 * `comment`: a report as the one comment of its concern on a pull request. The report comes from the branch, so it is
 * made safe here, where the branch has no say; whoever may not comment finds it in the summary of the job.
 */
import { appendFile, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Fault, fault } from "../base/fault.js";
import { openGitHost } from "../main/git-host.js";
import { boundMarkdown, splitMarkdown } from "../review/bound-markdown.js";
import type { GitHost } from "../review/port.js";
import { safeMarkdown } from "../review/safe-markdown.js";
import { planSticky } from "../review/sticky.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { type Command, type CommandIo, EXIT_OK } from "./command.js";
import { openConfig } from "./settings.js";

const DEADLINE_MS = 60_000;
/** Of the report: what is longer is cut anyway, and must not fill the memory before. */
const REPORT_MAX = 4 * 1_048_576;
/** GitHub takes one MiB a step. */
const SUMMARY_MAX = 1_000_000;
const REPOSITORY = /^[\w.-]+\/[\w.-]+$/;

export const commentCommand: Command = {
  name: "comment",
  forms: [
    {
      usage: "comment --key NAME --pr NUMBER --file REPORT.md [--repo OWNER/NAME]",
      does: "put a report on a pull request: one comment for each key, updated only when it says something else",
    },
  ],
  async run(args, io) {
    const { values } = parseCommandLine(args, {
      key: { type: "string" },
      pr: { type: "string" },
      file: { type: "string" },
      repo: { type: "string" },
    });
    const { key, pr, file } = values;
    if (key === undefined || pr === undefined || file === undefined)
      throw new UsageError("--key, --pr and --file are needed");
    if (!/^[a-z][a-z0-9-]{0,30}$/.test(key))
      throw new UsageError(`--key: found "${key}", expected a name such as policy`);
    if (!/^[1-9]\d{0,8}$/.test(pr))
      throw new UsageError(`--pr: found "${pr}", expected the number of a pull request`);
    const config = await openConfig(io);
    const host = openGitHost({
      ...config,
      gitopsRepo: readRepository(values.repo) ?? config.gitopsRepo,
    });
    if (host === null) throw notConfigured();
    const report = safeMarkdown(await readReport(resolve(io.cwd, file)));
    const body = boundMarkdown(splitMarkdown(report));
    await write(
      host,
      { key, body, pullRequest: Number(pr), report },
      config.github.stepSummary,
      io,
    );
    return EXIT_OK;
  },
};

function readRepository(text: string | undefined): string | null {
  if (text !== undefined && !REPOSITORY.test(text))
    throw new UsageError(`--repo: found "${text}", expected owner/name`);
  return text ?? null;
}

function notConfigured(): Fault {
  return fault.refused("GITOPS_NOT_CONFIGURED", "no repository or no credentials to comment with", {
    hint: "give --repo or GITOPS_REPO, and GITHUB_TOKEN or the three GITHUB_APP_* variables",
  });
}

async function readReport(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  if (text.length > REPORT_MAX)
    throw fault.refused("COMMENT_TOO_LARGE", `${path} has ${text.length} characters`, {
      hint: `a report has at most ${REPORT_MAX}`,
    });
  return text;
}

interface Report {
  readonly key: string;
  /** Safe, and short enough. */
  readonly body: string;
  readonly pullRequest: number;
  /** Safe, whole. */
  readonly report: string;
}

async function write(
  host: GitHost,
  report: Report,
  summary: string | null,
  io: CommandIo,
): Promise<void> {
  try {
    io.out(await putComment(host, report));
  } catch (error) {
    // A fork's token may only read, and a check must not fail for a comment.
    if (!(error instanceof Fault) || error.details.status !== 403) throw error;
    io.out(await writeSummary(report.report, summary, io));
  }
}

async function putComment(host: GitHost, { key, body, pullRequest }: Report): Promise<string> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const author = await host.whoAmI(signal);
  const existing = await host.listComments(pullRequest, signal);
  const plan = planSticky(existing, { key, body, author });
  if (plan.create !== null) await host.createComment(pullRequest, plan.create, signal);
  if (plan.update !== null) await host.updateComment(plan.update.id, plan.update.body, signal);
  for (const id of plan.delete) await host.deleteComment(id, signal);
  if (plan.create !== null) return "comment created";
  return plan.update === null ? "comment unchanged" : "comment updated";
}

async function writeSummary(report: string, file: string | null, io: CommandIo): Promise<string> {
  if (file === null) {
    io.out(report);
    return "403: no comment, and no GITHUB_STEP_SUMMARY to write to; the report stands above";
  }
  await appendFile(file, `${boundMarkdown(splitMarkdown(report), SUMMARY_MAX)}\n`);
  return "403: written to the job summary";
}
