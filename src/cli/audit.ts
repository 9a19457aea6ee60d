/** `audit verify`: walks the hash chain and says where it breaks, if it does. */
import { verifyAudit } from "../store/audit.js";
import { type Command, EXIT_FAILED, EXIT_OK, parseCommandLine, UsageError } from "./command.js";
import { withDatabase } from "./settings.js";

export const auditCommand: Command = {
  name: "audit",
  usage: ["audit verify [--json]"],
  summary: "check the hash chain of the audit log",
  async run(args, io) {
    const { positionals, values } = parseCommandLine(args, { json: { type: "boolean" } });
    if (positionals.length !== 1 || positionals[0] !== "verify")
      throw new UsageError('expected "audit verify"');
    const verdict = await withDatabase(io, (db) => verifyAudit(db));
    if (values.json) io.out(JSON.stringify(verdict));
    else if (verdict.ok) io.out(`${verdict.entries} entries, the chain holds`);
    else io.out(`the chain is broken at entry ${verdict.brokenAt} of ${verdict.entries}`);
    return verdict.ok ? EXIT_OK : EXIT_FAILED;
  },
};
