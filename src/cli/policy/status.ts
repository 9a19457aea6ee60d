/** `policy status`: what was published, what is in force, what stands between, and who works with what. */

import { systemClock } from "../../base/clock.js";
import { formatAge } from "../../base/duration.js";
import { isJsonObject } from "../../base/json.js";
import { releaseCommand } from "../../runtime/policy-word.js";
import type { StoredBundle } from "../../store/policy-bundles.js";
import { listActiveOverrides, type PolicyOverride } from "../../store/policy-overrides.js";
import { type PolicyState, readPolicyState } from "../../store/policy-state.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { withDatabase } from "../settings.js";
import { formatTable } from "../table.js";

const DIGEST_SHOWN = 12;
const COMMIT_SHOWN = 10;

/** Exits with 1 while something is held, refused or rolled back since what is in force came into force. */
export async function runStatus(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, { json: { type: "boolean" } });
  const { overrides, ...state } = await withDatabase(io, async (db) => ({
    ...(await readPolicyState(db)),
    overrides: await listActiveOverrides(db),
  }));
  if (values.json) io.out(JSON.stringify({ ...state, overrides }));
  else {
    for (const line of describe(state, systemClock.now())) io.out(line);
    for (const line of overrides.map(overrideLine)) io.out(line);
  }
  const troubles = [...state.held, ...state.failed, ...state.refused];
  return troubles.length > 0 ? EXIT_FAILED : EXIT_OK;
}

function describe(state: PolicyState, now: Date): string[] {
  return [
    ...inForceLines(state, now),
    ...[...state.held, ...state.waiting, ...state.failed].flatMap(bundleLines),
    ...state.refused.map(({ refusal, sentence, source, at }) => {
      return `refused at ${source} ${ago(at, now)} (${refusal}): ${sentence}`;
    }),
    ...processLines(state),
  ];
}

function overrideLine({ id, path, value, was, owner, expiresAt }: PolicyOverride): string {
  return `override ${id}  ${path} is ${JSON.stringify(value)}, the policy says ${JSON.stringify(was)}: by ${owner}, until ${expiresAt.toISOString()}`;
}

function inForceLines({ inForce, published }: PolicyState, now: Date): string[] {
  if (inForce === null) return ["no policy is in force: start algobrain serve"];
  const { revision, digest, bundleRevision, commit, source, since, rolledBackFrom } = inForce;
  const name = bundleRevision === null ? `files of ${source}` : `bundle ${bundleRevision}`;
  const at = commit === null ? "" : `, commit ${commit.slice(0, COMMIT_SHOWN)}`;
  const back = rolledBackFrom === null ? "" : `, rolled back from ${rolledBackFrom}`;
  const lines = [
    `in force   ${name}${at}, ${digest.slice(0, DIGEST_SHOWN)}, row ${revision}, since ${ago(since, now)}${back}`,
  ];
  if (published !== null)
    lines.push(
      `published  bundle ${published.revision} from ${published.source} ${ago(published.publishedAt, now)}: ${published.status}`,
    );
  return lines;
}

function ago(at: Date, now: Date): string {
  return `${formatAge(now.getTime() - at.getTime())} ago`;
}

function bundleLines(bundle: StoredBundle): string[] {
  const { revision, status, reason, findings } = bundle;
  const sentences = (Array.isArray(findings) ? findings : []).flatMap((one) =>
    isJsonObject(one) ? [`  ${one.reason}: ${one.sentence}`] : [],
  );
  const todo = status === "held" ? [`  release it with: ${releaseCommand(revision)}`] : [];
  return [`${status.padEnd(10)} bundle ${revision}: ${reason ?? ""}`, ...sentences, ...todo];
}

function processLines({ processes, inForce }: PolicyState): string[] {
  if (processes.length === 0) return ["no process runs"];
  const rows = processes.map(({ process, role, revision, digest }) => [
    ...[role, process, String(revision), digest.slice(0, DIGEST_SHOWN)],
    revision === inForce?.revision ? "in force" : "behind",
  ]);
  return ["", ...formatTable(["role", "process", "row", "digest", "works with"], rows)];
}
