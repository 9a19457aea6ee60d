/** `jobs why`: every reason that holds a job now, in words, with what to do about it. */
import { fault } from "../base/fault.js";
import { type Reason, whyNotRunning } from "../job/why.js";
import { readPublished } from "../main/policy.js";
import { applyOverrides } from "../runtime/policy-overrides.js";
import { readWhyFacts } from "../store/why.js";
import { parseCommandLine } from "./arguments.js";
import { EXIT_OK, type Verb } from "./command.js";
import { readJobId } from "./job-filter.js";
import { withDatabase } from "./settings.js";

export const whyVerb: Verb = {
  usage: "jobs why ID [--json]",
  does: "why a job is not running, and what to do about it",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, { json: { type: "boolean" } }, ["ID"]);
    const seq = readJobId(operands[0]);
    return withDatabase(io, async (db, config) => {
      const { policy } = applyOverrides((await readPublished(db)).set, config);
      const cap = config.orchestrator.maxConcurrentJobs;
      const facts = await readWhyFacts(db, { seq, policy, cap });
      if (!facts)
        throw fault.refused("JOB_NOT_FOUND", `there is no job-${seq}`, {
          hint: "see: algobrain jobs list",
        });
      const reasons = whyNotRunning(facts);
      if (values.json) io.out(JSON.stringify({ id: facts.job.id, reasons }));
      else for (const line of reasons.flatMap(linesOf)) io.out(line);
      return EXIT_OK;
    });
  },
};

function linesOf({ sentence, remedy }: Reason): string[] {
  return remedy === null ? [sentence] : [sentence, `  what to do: ${remedy}`];
}
