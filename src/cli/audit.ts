/** `audit verify`: walks the hash chain and says where it breaks, if it does. */
import { verifyAudit } from "../store/audit.js";
import { parseCommandLine } from "./arguments.js";
import { commandOfVerbs, EXIT_FAILED, EXIT_OK, type Verb } from "./command.js";
import { withDatabase } from "./settings.js";

const verifyVerb: Verb = {
  usage: "audit verify [--json]",
  does: "check the hash chain of the audit log",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { json: { type: "boolean" } });
    const verdict = await withDatabase(io, (db) => verifyAudit(db));
    if (values.json) io.out(JSON.stringify(verdict));
    else if (verdict.ok) io.out(`${verdict.entries} entries, the chain holds`);
    else io.out(`the chain is broken at entry ${verdict.brokenAt} of ${verdict.entries}`);
    return verdict.ok ? EXIT_OK : EXIT_FAILED;
  },
};

export const auditCommand = commandOfVerbs("audit", {
  verify: verifyVerb,
});
