/** `jobs add | list | show | retry`, and `index PATH`: the same use cases as the API, actor `cli:<user>`. */
import { resolve } from "node:path";
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import { didYouMean } from "../base/similar.js";
import { JOB_STATUSES, type Job, parseJobId } from "../job/job.js";
import { type KindRegistry, PUBLIC_KINDS } from "../job/kinds.js";
import { createRegistry } from "../main/kinds.js";
import { retryJob } from "../store/job-actions.js";
import { listJobs, readJob, readJobHistory } from "../store/jobs.js";
import { type JobSubmission, submitJob } from "../store/submit-job.js";
import {
  type Command,
  type CommandIo,
  EXIT_FAILED,
  EXIT_OK,
  parseCommandLine,
  UsageError,
} from "./command.js";
import { withDatabase } from "./settings.js";
import { formatTable } from "./table.js";

const LIST_MAX = 200;

export const jobsCommand: Command = {
  name: "jobs",
  usage: [
    "jobs add TYPE [JSON]",
    "jobs list [--status STATUS] [--type TYPE] [--limit 20] [--json]",
    "jobs show ID [--json]",
    "jobs retry ID [--reason TEXT] [--force]",
  ],
  summary: "add, list, show and retry jobs",
  async run(args, io) {
    const { positionals, values } = parseCommandLine(args, {
      status: { type: "string" },
      type: { type: "string" },
      limit: { type: "string", default: "20" },
      reason: { type: "string" },
      force: { type: "boolean" },
      json: { type: "boolean" },
    });
    const [verb, first, second, ...rest] = positionals;
    if (rest.length > 0) throw new UsageError(`unexpected "${rest[0]}"`);
    if (verb === "add" && first !== undefined) return add(first, second ?? "{}", io);
    if (verb === "list" && first === undefined) return list(values, io);
    if (verb === "show" && first !== undefined) return show(first, values.json === true, io);
    if (verb === "retry" && first !== undefined) return retry(first, values, io);
    throw new UsageError(`unknown command "jobs ${positionals.join(" ")}"`.trim());
  },
};

export const indexCommand: Command = {
  name: "index",
  usage: ["index PATH"],
  summary: "index a folder of Git repositories, or one repository",
  async run(args, io) {
    const { positionals } = parseCommandLine(args, {});
    const [path, ...rest] = positionals;
    if (path === undefined || rest.length > 0) throw new UsageError("expected one path");
    const job = await withDatabase(io, (db) =>
      submitJob(db, indexJob(resolve(io.cwd, path), io.actor)),
    );
    io.out(job.created ? `${job.id} will index ${path}` : `${job.id} is already indexing ${path}`);
    io.out(`next: algobrain jobs show ${job.id}`);
    return EXIT_OK;
  },
};

/** One index job a path at a time: a second one would do the same work. */
function indexJob(path: string, actor: string): JobSubmission {
  return { kind: "index", payload: { path }, uniqueKey: `index:${path}`, actor };
}

async function add(kind: string, text: string, io: CommandIo): Promise<number> {
  const registry = createRegistry();
  const payload = parsePayload(text);
  refuseUnknownKind(registry, kind);
  const findings = registry.checkPayload(kind, payload);
  if (findings.length > 0) {
    for (const { pointer, message } of findings) io.err(`payload${pointer}: ${message}`);
    return EXIT_FAILED;
  }
  const job = await withDatabase(io, (db) => submitJob(db, { kind, payload, actor: io.actor }));
  io.out(job.id);
  return EXIT_OK;
}

function parsePayload(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch {
    // The sentence below says what was expected, which is more than the parser's own message does.
  }
  throw new UsageError(
    `payload: found ${text.slice(0, 80)}, expected a JSON object such as {"repo_id": "r1"}`,
  );
}

function refuseUnknownKind(registry: KindRegistry, kind: string): void {
  if (registry.names("public").includes(kind)) return;
  const hint = didYouMean(kind, PUBLIC_KINDS) ?? `kinds are ${PUBLIC_KINDS.join(", ")}`;
  throw new UsageError(`unknown job type "${kind}" (${hint})`);
}

interface ListOptions {
  readonly status?: string | undefined;
  readonly type?: string | undefined;
  readonly limit: string;
  readonly json?: boolean | undefined;
}

async function list(options: ListOptions, io: CommandIo): Promise<number> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_MAX) {
    throw new UsageError(`--limit: found "${options.limit}", expected 1 to ${LIST_MAX}`);
  }
  const status = JOB_STATUSES.find((known) => known === options.status);
  if (options.status !== undefined && !status) {
    throw new UsageError(
      `--status: found "${options.status}", expected ${JOB_STATUSES.join(", ")}`,
    );
  }
  const jobs = await withDatabase(io, (db) => listJobs(db, { status, kind: options.type, limit }));
  if (options.json) io.out(JSON.stringify(jobs));
  else if (jobs.length === 0) io.out("no such jobs");
  else
    for (const line of formatTable(
      ["id", "type", "status", "attempts", "created", "error"],
      jobs.map(row),
    ))
      io.out(line);
  return EXIT_OK;
}

function row(job: Job): string[] {
  const { id, kind, status, attempts, createdAt, error } = job;
  return [
    id,
    kind,
    status,
    String(attempts),
    createdAt.toISOString().slice(0, 19),
    (error ?? "").slice(0, 80),
  ];
}

async function show(text: string, json: boolean, io: CommandIo): Promise<number> {
  const seq = seqOf(text);
  return withDatabase(io, async (db) => {
    const job = await readJob(db, seq);
    if (!job) throw fault.refused("JOB_NOT_FOUND", `there is no ${text}`);
    const history = await readJobHistory(db, job.id);
    if (json) io.out(JSON.stringify({ job, ...history }));
    else for (const line of describe(job, history)) io.out(line);
    return EXIT_OK;
  });
}

function describe(job: Job, history: Awaited<ReturnType<typeof readJobHistory>>): string[] {
  const lines = [
    `${job.id}  ${job.kind}  ${job.status}  attempts ${job.attempts}  priority ${job.priority}`,
    `payload  ${JSON.stringify(job.payload)}`,
  ];
  if (job.error !== null) lines.push(`error    ${job.error}`);
  if (job.result !== null) lines.push(`result   ${JSON.stringify(job.result)}`);
  for (const { createdAt, failureType, strategy, attemptNumber, success } of history.healing) {
    const outcome =
      success === null ? "outcome not known yet" : success ? "worked" : "did not work";
    lines.push(
      `healing  ${createdAt.toISOString()}  attempt ${attemptNumber}  ${failureType} → ${strategy}: ${outcome}`,
    );
  }
  for (const { createdAt, actor, action } of history.audit) {
    lines.push(`audit    ${createdAt.toISOString()}  ${action} by ${actor}`);
  }
  return lines;
}

async function retry(
  text: string,
  options: { readonly reason?: string | undefined; readonly force?: boolean | undefined },
  io: CommandIo,
): Promise<number> {
  const { reason, force } = options;
  const seq = seqOf(text);
  const { outcome } = await withDatabase(io, (db) =>
    retryJob(db, { seq, actor: io.actor, reason, force }),
  );
  const sentences = {
    retried: `${text} is pending again`,
    "not-found": `there is no ${text}`,
    running: `${text} is running: wait for it, or end its hold with --force`,
    "already-pending": `${text} is already pending`,
    completed: `${text} is completed: there is nothing to retry`,
  };
  if (outcome === "retried") io.out(sentences[outcome]);
  else io.err(sentences[outcome]);
  return outcome === "retried" ? EXIT_OK : EXIT_FAILED;
}

function seqOf(text: string): number {
  const seq = parseJobId(text);
  if (seq === null) throw new UsageError(`found "${text}", expected a job id such as job-123`);
  return seq;
}
