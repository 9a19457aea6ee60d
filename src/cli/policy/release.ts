/** `policy release`: a held bundle goes on, because a person says why. */
import { fault } from "../../base/fault.js";
import { releaseBundle } from "../../store/policy-bundles.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_OK } from "../command.js";
import { withDatabase } from "../settings.js";

const REASON_MAX = 500;

export async function runRelease(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, operands } = parseCommandLine(args, { reason: { type: "string" } }, ["REVISION"]);
  const [text] = operands;
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new UsageError(
      `found "${text}", expected the revision that \`policy status\` shows as held`,
    );
  const revision = Number(text);
  const reason = values.reason ?? "";
  if (reason === "" || reason.length > REASON_MAX)
    throw new UsageError(
      `--reason "why this is right" is missing, or longer than ${REASON_MAX} characters`,
    );
  const released = await withDatabase(io, (db) =>
    db.transaction((tx) => releaseBundle(tx, revision, io.actor, reason)),
  );
  if (released.outcome === "released") {
    io.out(
      `revision ${revision} released: held because ${released.bundle.reason ?? "nobody said why"}`,
    );
    return EXIT_OK;
  }
  const found =
    released.outcome === "not-found"
      ? "there is no such bundle"
      : `it is ${released.bundle.status}`;
  throw fault.refused("POLICY_NOT_HELD", `revision ${revision} is not held: ${found}`, {
    hint: "see: algobrain policy status",
  });
}
