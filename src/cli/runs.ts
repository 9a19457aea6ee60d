/** `runs list | show`: runs of runbooks that there are and were. */
import { fault } from "../base/fault.js";
import { RUN_STATUSES } from "../runbook/run.js";
import { describeCall } from "../runbook/telling.js";
import { readRunLines } from "../store/run-lines.js";
import { readSteps } from "../store/run-steps.js";
import { listRuns, readRun } from "../store/runs.js";
import { toLineDocument, toRunDocument, toStepDocument } from "../web/run-document.js";
import { oneOf, parseCommandLine, UsageError } from "./arguments.js";
import { commandOfVerbs, EXIT_OK, type Verb } from "./command.js";
import { stepLine } from "./follow-run.js";
import { withDatabase } from "./settings.js";
import { formatTable } from "./table.js";

const LIST_MAX = 100;
const LINES_MAX = 1_000;
const RUN_ID = /^run-[1-9]\d{0,14}$/;

const listVerb: Verb = {
  usage: "runs list [--status STATUS] [--runbook NAME] [--json]",
  does: `runs of runbooks, newest first, ${LIST_MAX} at most`,
  run: async (args, io) => {
    const text = { type: "string" } as const;
    const options = { status: text, runbook: text, json: { type: "boolean" } } as const;
    const { values } = parseCommandLine(args, options);
    const status =
      values.status === undefined ? undefined : oneOf("--status", values.status, RUN_STATUSES);
    return withDatabase(io, async (db) => {
      const runs = await listRuns(db, LIST_MAX, { status, runbook: values.runbook });
      if (values.json) io.out(JSON.stringify({ runs: runs.map(toRunDocument) }));
      else if (runs.length === 0) io.out("no runs");
      else {
        const rows = runs.map((run) => [
          ...[run.id, run.waitingFor === null ? run.status : `waits for ${run.waitingFor}`],
          ...[run.requestedAt.toISOString().slice(0, 19), run.actor, describeCall(run)],
        ]);
        for (const line of formatTable(["run", "is", "asked at (UTC)", "by", "call"], rows))
          io.out(line);
      }
      return EXIT_OK;
    });
  },
};

const showVerb: Verb = {
  usage: "runs show RUN [--json]",
  does: "one run with its plan, its steps and what it printed",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, { json: { type: "boolean" } }, ["RUN"]);
    const [id] = operands;
    if (!RUN_ID.test(id))
      throw new UsageError(`found "${id.slice(0, 40)}", expected a run id such as run-123`);
    return withDatabase(io, async (db) => {
      const run = await readRun(db, id);
      if (!run) throw fault.data("RUN_UNKNOWN", `there is no ${id}`);
      const steps = await readSteps(db, run.seq);
      const lines = await readRunLines(db, run.seq, 0, LINES_MAX);
      if (values.json) {
        const all = { steps: steps.map(toStepDocument), lines: lines.map(toLineDocument) };
        io.out(JSON.stringify({ ...toRunDocument(run), plan: run.plan, ...all }));
        return EXIT_OK;
      }
      io.out(`${run.id} ${run.status}: ${describeCall(run)}`);
      io.out(`asked by ${run.actor} through ${run.door} at ${run.requestedAt.toISOString()}`);
      if (run.reason) io.out(`because: ${run.reason}`);
      if (run.waitingFor !== null) io.out(`waits for ${run.waitingFor}`);
      for (const line of (run.plan?.text ?? "").split("\n").filter(Boolean))
        io.out(`plan: ${line}`);
      for (const change of run.plan?.changes ?? []) io.out(`  would ${change}`);
      for (const step of steps) io.out(stepLine(step));
      for (const { stream, text } of lines) io.out(`    ${stream}  ${text}`);
      if (run.outcome) io.out(`outcome: ${run.outcome}`);
      return EXIT_OK;
    });
  },
};

export const runsCommand = commandOfVerbs("runs", { list: listVerb, show: showVerb });
