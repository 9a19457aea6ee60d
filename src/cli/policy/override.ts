/** `policy override`: break-glass from the command line, for when nothing else answers. */
import { systemClock } from "../../base/clock.js";
import { formatAge, parseDuration } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import { openGitHost } from "../../main/git-host.js";
import { readPublished } from "../../main/policy.js";
import { OVERRIDE_MAX_MS } from "../../policy/override.js";
import { createProposeChange } from "../../runtime/change.js";
import type { Config } from "../../runtime/config.js";
import { createRuntimeNotify } from "../../runtime/notify.js";
import { beginOverride, endOverrideNow } from "../../runtime/override-policy.js";
import type { Database } from "../../store/database.js";
import { listOverrides, type PolicyOverride } from "../../store/policy-overrides.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { withDatabase } from "../settings.js";
import { formatTable } from "../table.js";
import { readScalar } from "./change.js";

const LIST_MAX = 50;
const OPTIONS = {
  reason: { type: "string" },
  owner: { type: "string" },
  for: { type: "string" },
  json: { type: "boolean" },
} as const;

export async function runOverride(args: readonly string[], io: CommandIo): Promise<number> {
  const [word, ...rest] = args;
  if (word === "list") return list(rest, io);
  if (word === "end") return end(rest, io);
  return begin(args, io);
}

async function begin(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, operands } = parseCommandLine(args, OPTIONS, ["PATH", "VALUE"]);
  const [path, text] = operands;
  const { reason, owner = io.actor } = values;
  if (reason === undefined) throw new UsageError("--reason is missing: it stands in the audit");
  const forMs = parseDuration(values.for ?? "");
  if (forMs === null || forMs <= 0 || forMs > OVERRIDE_MAX_MS)
    throw new UsageError("--for is missing or longer than 72h: a duration such as 4h");
  const wanted = { path, value: readScalar(text), reason, owner, forMs, by: io.actor };
  const answer = await withDatabase(io, (db, config) => beginOverride(depsOf(db, config), wanted));
  if (answer.outcome === "refused") throw refused(answer.sentence);
  if (answer.outcome === "taken") throw refused(`another one holds at ${path}: end it first`);
  if (values.json) io.out(JSON.stringify(answer));
  else for (const line of sentencesOf(answer)) io.out(line);
  return EXIT_OK;
}

function depsOf(db: Database, config: Config) {
  return {
    db,
    load: () => readPublished(db),
    notify: notifyOf(db),
    proposeChange: proposerOf(db, config),
  };
}

/** Null: no repository, or no credentials for it. */
function proposerOf(db: Database, config: Config) {
  const host = openGitHost(config);
  const { environment } = config;
  return host && createProposeChange({ host, db, environment, now: () => systemClock.now() });
}

/** Whoever hears of it is said by the policy in force. */
function notifyOf(db: Database): ReturnType<typeof createRuntimeNotify> {
  return async (sql, word) => {
    const { set } = await readPublished(db);
    await createRuntimeNotify({ policy: () => set, now: () => systemClock.now() })(sql, word);
  };
}

function sentencesOf({
  override,
  writeBack,
}: Extract<Awaited<ReturnType<typeof beginOverride>>, { outcome: "begun" }>): string[] {
  const { id, path, value, was, expiresAt } = override;
  return [
    `${path} is ${JSON.stringify(value)} (the policy says ${JSON.stringify(was)}) until ${expiresAt.toISOString()}`,
    "url" in writeBack ? `written back by ${writeBack.url}` : writeBack.none,
    `end it with: algobrain policy override end ${id}`,
  ];
}

function refused(sentence: string) {
  return fault.refused("POLICY_OVERRIDE_REFUSED", sentence, {
    hint: "what it does not allow is a change: algobrain policy change",
  });
}

async function list(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, { json: { type: "boolean" } });
  const overrides = await withDatabase(io, (db) => listOverrides(db, LIST_MAX));
  if (values.json) io.out(JSON.stringify(overrides));
  else if (overrides.length === 0) io.out("no emergency settings yet");
  else {
    const columns = ["id", "path", "value", "was", "owner", "state", "reason"];
    for (const line of formatTable(columns, overrides.map(rowOf))) io.out(line);
  }
  return EXIT_OK;
}

function rowOf(override: PolicyOverride): string[] {
  const { id, path, value, was, owner, reason, endedBy, expiresAt } = override;
  const leftMs = expiresAt.getTime() - systemClock.now().getTime();
  const state = endedBy ?? (leftMs > 0 ? `${formatAge(leftMs)} left` : "expired");
  return [String(id), path, JSON.stringify(value), JSON.stringify(was), owner, state, reason];
}

async function end(args: readonly string[], io: CommandIo): Promise<number> {
  const { operands } = parseCommandLine(args, {}, ["ID"]);
  const [text] = operands;
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`found "${text}", expected a number`);
  const ended = await withDatabase(io, (db) =>
    endOverrideNow({ db, notify: notifyOf(db) }, Number(text), io.actor),
  );
  if (ended === null) {
    io.err(`no emergency setting ${text} holds: algobrain policy override list`);
    return EXIT_FAILED;
  }
  io.out(`ended: ${ended.path} is what the policy says again`);
  return EXIT_OK;
}
