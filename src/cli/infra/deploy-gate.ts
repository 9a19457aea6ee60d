/** `infra deploy-gate`: whether a commit may go to production now (LB-aws-10): typed whole, meant, merged, and run by staging. */
import { createShell } from "../../adapter/shell.js";
import { openAwsReader } from "../../main/aws.js";
import { isWholeCommit, judgeDeployment } from "../../review/infra/deploy-gate.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { openConfig } from "../settings.js";
import { policyOf } from "./policy-of.js";

const GIT_TIMEOUT_MS = 30_000;
const LOOK_TIMEOUT_MS = 60_000;
const MAIN = "origin/main";

export async function runDeployGate(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, {
    tag: { type: "string" },
    confirm: { type: "string" },
    from: { type: "string", default: "staging" },
    policies: { type: "string", default: "policies" },
  });
  const { tag, confirm, from, policies } = values;
  if (tag === undefined || confirm === undefined)
    throw new UsageError("--tag and --confirm are needed");
  const typed = judgeDeployment({ tag, confirm, isOnMain: true, staging: { typed: tag } });
  // What was typed wrongly is said before anything is asked: it may not even be a commit.
  if (typed.length > 0) return refuse(typed, io);
  const isOnMain = await askHistory(tag, io);
  const staging = await askServices({ env: from, policies }, io);
  if (staging === null) return EXIT_FAILED;
  const against = judgeDeployment({ tag, confirm, isOnMain, staging });
  if (against.length > 0) return refuse(against, io);
  io.out(`${tag} may go: it is on the main branch, and every service of ${from} runs it`);
  return EXIT_OK;
}

function refuse(against: readonly string[], io: CommandIo): number {
  for (const sentence of against) io.err(`refused: ${sentence}`);
  return EXIT_FAILED;
}

/** Null: Git could not say; exit codes 0 and 1 are its yes and no. */
async function askHistory(tag: string, io: CommandIo): Promise<boolean | null> {
  if (!isWholeCommit(tag)) return null;
  const shell = createShell({ redact: (text) => text, path: io.env.PATH });
  const { exitCode } = await shell.run(["git", "merge-base", "--is-ancestor", tag, MAIN], {
    ...{ cwd: io.cwd, timeoutMs: GIT_TIMEOUT_MS, signal: new AbortController().signal },
  });
  return exitCode === 0 ? true : exitCode === 1 ? false : null;
}

/** Null: the policies have problems, which have been shown. */
async function askServices(
  wish: { readonly env: string; readonly policies: string },
  io: CommandIo,
): Promise<Readonly<Record<string, string | null>> | null> {
  const policy = await policyOf(wish, io);
  if (policy === null) return null;
  const signal = AbortSignal.timeout(LOOK_TIMEOUT_MS);
  const { aws, close } = await openAwsReader(policy, await openConfig(io), signal);
  try {
    const services = await aws.services();
    return Object.fromEntries(services.map(({ name, imageTag }) => [name, imageTag]));
  } finally {
    await close();
  }
}
