/** `jobs list | show | why | add | retry | retry-all | cancel-all`: the same use cases as the API, actor `cli:<user>`. */
import { systemClock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import { findRepeatedKey } from "../base/repeated-key.js";
import { didYouMean } from "../base/similar.js";
import { INTERNAL_KINDS, type KindRegistry, PUBLIC_KINDS } from "../job/kinds.js";
import { createRegistry } from "../main/kinds.js";
import type { Database } from "../store/database.js";
import { retryJob } from "../store/job-actions.js";
import { readAttempts } from "../store/job-attempts.js";
import { listJobs } from "../store/job-list.js";
import { readJob, readJobHistory } from "../store/jobs.js";
import { submitJob } from "../store/submit-job.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { type CommandIo, commandOfVerbs, EXIT_FAILED, EXIT_OK, type Verb } from "./command.js";
import { bulkVerb } from "./job-bulk.js";
import { PAGE_OPTIONS, PAGE_USAGE, readJobId, readPage } from "./job-filter.js";
import { describeJob, JOB_LIST_COLUMNS, jobRow } from "./job-text.js";
import { whyVerb } from "./job-why.js";
import { nobodyWorks } from "./liveness.js";
import { withDatabase } from "./settings.js";
import { formatTable } from "./table.js";

const addVerb: Verb = {
  usage: "jobs add TYPE [JSON]",
  does: "enqueue a job, and print its id",
  run: async (args, io) => {
    const { operands } = parseCommandLine(args, {}, ["TYPE", "[JSON]"]);
    const [kind, text = "{}"] = operands;
    const registry = createRegistry();
    const payload = parsePayload(text);
    refuseUnknownKind(registry, kind);
    const findings = registry.checkPayload(kind, payload);
    for (const { pointer, message } of findings) io.err(`payload${pointer}: ${message}`);
    if (findings.length > 0) return EXIT_FAILED;
    return withDatabase(io, async (db) => {
      const { id } = await submitJob(db, { kind, payload, actor: io.actor });
      io.out(id);
      await tellWhenNobodyWorks(db, kind, id, io);
      return EXIT_OK;
    });
  },
};

const listVerb: Verb = {
  usage: `jobs list ${PAGE_USAGE} [--json]`,
  does: "what ran, what runs, what failed, newest first",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { ...PAGE_OPTIONS, json: { type: "boolean" } });
    const { limit, ...filter } = readPage(values, systemClock.now());
    const jobs = await withDatabase(io, (db) => listJobs(db, { ...filter, limit }));
    const isFiltered = Object.values(filter).some((value) => value !== undefined);
    if (values.json) io.out(JSON.stringify(jobs));
    else if (jobs.length === 0) io.out(isFiltered ? "no such jobs" : "no jobs yet");
    else for (const line of formatTable(JOB_LIST_COLUMNS, jobs.map(jobRow))) io.out(line);
    return EXIT_OK;
  },
};

const showVerb: Verb = {
  usage: "jobs show ID [--json]",
  does: "one job: payload, error, healing, who did what to it, its attempts and their log",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, { json: { type: "boolean" } }, ["ID"]);
    const seq = readJobId(operands[0]);
    return withDatabase(io, async (db) => {
      const job = await readJob(db, seq);
      if (!job)
        throw fault.refused("JOB_NOT_FOUND", `there is no job-${seq}`, {
          hint: "see: algobrain jobs list",
        });
      const attempts = await readAttempts(db, job.seq);
      const history = { ...(await readJobHistory(db, job.id)), attempts };
      if (values.json) io.out(JSON.stringify({ job, ...history }));
      else for (const line of describeJob(job, history)) io.out(line);
      return EXIT_OK;
    });
  },
};

const retryVerb: Verb = {
  usage: "jobs retry ID [--reason TEXT] [--force]",
  does: "run a failed, quarantined or cancelled job again",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(
      args,
      { reason: { type: "string" }, force: { type: "boolean" } },
      ["ID"],
    );
    const { reason, force } = values;
    const seq = readJobId(operands[0]);
    return withDatabase(io, async (db) => {
      const result = await retryJob(db, { seq, actor: io.actor, reason, force });
      const sentence = RETRY_SENTENCES[result.outcome](`job-${seq}`);
      if (result.outcome !== "retried" || !result.job) {
        io.err(sentence);
        return EXIT_FAILED;
      }
      io.out(sentence);
      await tellWhenNobodyWorks(db, result.job.kind, result.job.id, io);
      return EXIT_OK;
    });
  },
};

export const jobsCommand = commandOfVerbs("jobs", {
  list: listVerb,
  show: showVerb,
  why: whyVerb,
  add: addVerb,
  retry: retryVerb,
  "retry-all": bulkVerb("retry"),
  "cancel-all": bulkVerb("cancel"),
});

const RETRY_SENTENCES = {
  retried: (id: string) => `${id} is pending again; follow it: algobrain jobs show ${id}`,
  "not-found": (id: string) => `there is no ${id}`,
  running: (id: string) => `${id} is running: wait for it, or end its hold with --force`,
  "already-pending": (id: string) => `${id} is already pending`,
  completed: (id: string) => `${id} is completed: there is nothing to retry`,
};

/** On standard error: what reads the id from standard output is not disturbed. */
export async function tellWhenNobodyWorks(
  db: Database,
  kind: string,
  id: string,
  io: CommandIo,
): Promise<void> {
  const why = await nobodyWorks(db, kind);
  if (why !== null) io.err(`note: ${id} waits, because ${why}`);
}

function parsePayload(text: string): JsonObject {
  const value = parseObject(text);
  const repeated = value === null ? null : findRepeatedKey(text);
  if (repeated !== null)
    throw new UsageError(`payload: found the key "${repeated.slice(0, 80)}" twice in one object`);
  if (value !== null) return value;
  throw new UsageError(
    `payload: found ${text.slice(0, 80)}, expected a JSON object such as '{"repo_id": "r1"}'`,
  );
}

function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    // Whoever asks says what was expected, which is more than the parser's own message does.
    return null;
  }
}

function refuseUnknownKind(registry: KindRegistry, kind: string): void {
  if (registry.names("general").includes(kind)) return;
  const isInternal = INTERNAL_KINDS.some((internal) => internal === kind);
  const hint = isInternal
    ? "the runtime makes these itself; to start a runbook: algobrain runbook run NAME"
    : (didYouMean(kind, PUBLIC_KINDS) ?? `types are ${PUBLIC_KINDS.join(", ")}`);
  throw new UsageError(`unknown job type "${kind}" (${hint})`);
}
