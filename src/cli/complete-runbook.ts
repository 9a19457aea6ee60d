/** `runbook complete`: what may come next on a line of `runbook run`, for the completion of a shell. */
import { loadRunbooks } from "../main/runbooks.js";
import { oneLine } from "../message/plain.js";
import { type Candidate, completeRunbook, formWanted } from "../runbook/completion.js";
import { listJobs } from "../store/job-list.js";
import { parseCommandLine } from "./arguments.js";
import { type CommandIo, EXIT_OK, type Verb } from "./command.js";
import { lookQuickly } from "./quick-look.js";

/** Somebody has pressed a key and waits. */
const WAIT_MS = 400;
const JOBS_SHOWN = 20;

export const completeVerb: Verb = {
  usage: "runbook complete [--json] -- WORD…",
  does: "what may come next after runbook run; a shell asks this: see algobrain completion",
  run: async (args, io) => {
    const { options, words } = split(args);
    const { values } = parseCommandLine(options, { json: { type: "boolean" } });
    const registry = await loadRunbooks();
    const jobs = formWanted(registry, words) === "job" ? await listLikelyJobs(io) : [];
    const candidates = completeRunbook(registry, words, { jobs });
    if (values.json) io.out(JSON.stringify({ candidates }));
    else for (const { text, description } of candidates) io.out(`${text}\t${oneLine(description)}`);
    return EXIT_OK;
  },
};

/** Behind `--` everything is a word of the line, also what looks like an option, and one that is empty. */
function split(args: readonly string[]) {
  const at = args.indexOf("--");
  const end = at < 0 ? args.length : at;
  return { options: args.slice(0, end), words: args.slice(end + 1) };
}

/** The newest that need somebody, then the newest; none where the database cannot be asked in a moment. */
async function listLikelyJobs(io: CommandIo): Promise<Candidate[]> {
  const quiet = { ...io, err: () => {} };
  const looked = await lookQuickly(quiet, WAIT_MS, async (db) => [
    ...(await listJobs(db, { status: "quarantined", limit: JOBS_SHOWN })),
    ...(await listJobs(db, { status: "failed", limit: JOBS_SHOWN })),
    ...(await listJobs(db, { limit: JOBS_SHOWN })),
  ]);
  if (!looked.found) return [];
  return looked.value
    .slice(0, JOBS_SHOWN)
    .map(({ id, kind, status }) => ({ text: id, description: `${kind}, ${status}` }));
}
