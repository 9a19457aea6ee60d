/** What is ordered about one run at a terminal: end it, or take back what it did. */
import { fault } from "../base/fault.js";
import { loadRunbooks } from "../main/runbooks.js";
import { cancelRunAs, undoRunAs } from "../store/order-run.js";
import { parseCommandLine } from "./arguments.js";
import { EXIT_OK, type Verb } from "./command.js";
import { followRun } from "./follow-run.js";
import { askerOf } from "./run-asker.js";
import { withDatabase } from "./settings.js";

const REASON = { reason: { type: "string" } } as const;
const JSON_TOO = { json: { type: "boolean" } } as const;
const NO_REASON = "no reason given";

export const cancelVerb: Verb = {
  usage: 'runbook cancel RUN [--reason "…"]',
  does: "end a run; what it did is taken back where its runbook can",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, REASON, ["RUN"]);
    const registry = await loadRunbooks();
    return withDatabase(io, async (db) => {
      const order = { id: operands[0], registry, reason: values.reason ?? NO_REASON };
      const asker = await askerOf(db, io);
      const answer = await db.transaction((tx) => cancelRunAs(tx, { ...order, ...asker }));
      if (answer.outcome === "refused") throw refused(answer.sentence);
      io.out(answer.sentence);
      return EXIT_OK;
    });
  },
};

export const undoVerb: Verb = {
  usage: 'runbook undo RUN [--reason "…"] [--json]',
  does: "take back what an ended run did, by a run of its own, and follow it",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, { ...REASON, ...JSON_TOO }, ["RUN"]);
    const registry = await loadRunbooks();
    return withDatabase(io, async (db) => {
      const order = { id: operands[0], registry, reason: values.reason ?? NO_REASON };
      const asker = await askerOf(db, io);
      const answer = await db.transaction((tx) => undoRunAs(tx, { ...order, ...asker }));
      if (answer.outcome === "refused") throw refused(answer.sentence);
      const { run } = answer;
      if (!values.json) io.out(`${run.id} queued: it takes back what ${operands[0]} did`);
      const runbook = registry.find(run.runbook)!.runbook;
      return followRun(db, run, { runbook, json: values.json ?? false }, io);
    });
  },
};

function refused(sentence: string) {
  return fault.refused("RUN_REFUSED", `refused: ${sentence}`);
}
