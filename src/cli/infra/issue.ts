/**
 * `infra issue`: the one issue of a concern, kept up to date and closed when there is nothing left to say. Found by the
 * hidden marker in its first line and by its author, as comments are (review/sticky).
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fault } from "../../base/fault.js";
import { openIssueHost } from "../../main/git-host.js";
import { boundMarkdown, splitMarkdown } from "../../review/bound-markdown.js";
import type { IssueHost } from "../../review/port.js";
import { plainLine, safeMarkdown } from "../../review/safe-markdown.js";
import { planSticky, type StickyPlan } from "../../review/sticky.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_OK } from "../command.js";
import { openConfig } from "../settings.js";

const DEADLINE_MS = 60_000;
const REPORT_MAX = 4 * 1_048_576;
const TITLE_MAX = 200;
/** The word of `infra drift --state-file` with which the issue is closed: of no other. */
const CLEAN = "clean";

const OPTIONS = {
  key: { type: "string" },
  file: { type: "string" },
  "state-file": { type: "string" },
  run: { type: "string" },
  repo: { type: "string" },
} as const;

export async function runIssue(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const { key, file, "state-file": stateFile, repo, run } = values;
  if (key === undefined || file === undefined || stateFile === undefined)
    throw new UsageError("--key, --file and --state-file are needed");
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(key))
    throw new UsageError(`--key: found "${key}", expected a name such as drift-production`);
  if (repo !== undefined && !/^[\w.-]+\/[\w.-]+$/.test(repo))
    throw new UsageError(`--repo: found "${repo}", expected owner/name`);
  if (run !== undefined && !/^https:\/\/[\w.:/-]{1,300}$/.test(run))
    throw new UsageError(`--run: found "${run}", expected the address of a run`);
  const paths = { report: resolve(io.cwd, file), state: resolve(io.cwd, stateFile) };
  const { body, state } = await readTold(paths, key, run);
  const config = await openConfig(io);
  const host = openIssueHost({ ...config, gitopsRepo: repo ?? config.gitopsRepo });
  if (host === null)
    throw fault.refused("GITOPS_NOT_CONFIGURED", "no repository or no credentials for issues", {
      hint: "give --repo or GITOPS_REPO, and GITHUB_TOKEN or the three GITHUB_APP_* variables",
    });
  io.out(await putIssue(host, { key, body, isDone: state === CLEAN }));
  return EXIT_OK;
}

interface Told {
  readonly body: string;
  readonly state: string;
}

/** What died before it could say anything must not pass for nothing to say: with `run` that is told. */
async function readTold(
  paths: { readonly report: string; readonly state: string },
  key: string,
  run: string | undefined,
): Promise<Told> {
  try {
    const state = (await readFile(paths.state, "utf8")).trim();
    return { body: await readReport(paths.report), state };
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (!isMissing || run === undefined) throw error;
    const why = `The look has ended before it could write a report. What it said: ${run}`;
    return { body: `## ⚠️ ${key}: it is not known\n\n${why}\n`, state: "failed" };
  }
}

async function readReport(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  if (text.length <= REPORT_MAX) return boundMarkdown(splitMarkdown(safeMarkdown(text)));
  throw fault.refused("COMMENT_TOO_LARGE", `${path} has ${text.length} characters`, {
    hint: `a report has at most ${REPORT_MAX}`,
  });
}

interface Report {
  readonly key: string;
  readonly body: string;
  readonly isDone: boolean;
}

async function putIssue(host: IssueHost, { key, body, isDone }: Report): Promise<string> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const author = await host.whoAmI(signal);
  const open = await host.listOpen(signal);
  const existing = open.map(({ number, ...rest }) => ({ id: number, ...rest }));
  const plan = planSticky(existing, { key, body, author });
  const title = titleOf(body, key);
  // A second one of ours says the same: the oldest stays, because people have linked to it.
  for (const number of plan.delete) await host.close(number, signal);
  if (isDone) return close(host, plan, title, signal);
  if (plan.create !== null)
    return `issue ${await host.create({ title, body: plan.create }, signal)} opened`;
  if (plan.update === null) return "issue unchanged";
  await host.update(plan.update.id, { title, body: plan.update.body }, signal);
  return `issue ${plan.update.id} updated`;
}

async function close(
  host: IssueHost,
  { kept, update }: StickyPlan,
  title: string,
  signal: AbortSignal,
): Promise<string> {
  if (kept === null) return "nothing to say, and no issue is open";
  // What was found last stands in the closed issue.
  if (update !== null) await host.update(kept, { title, body: update.body }, signal);
  await host.close(kept, signal);
  return `issue ${kept} closed`;
}

/** The first heading says what is the matter. */
function titleOf(body: string, key: string): string {
  const heading = /^#{1,4} +(.+)$/m.exec(body)?.[1] ?? key;
  return plainLine(heading.replace(/\\(?=[!-/:-@[-`{-~])/g, "")).slice(0, TITLE_MAX);
}
