/** `audit verify | anchor`: is the audit log what it was, by its own hashes and by what stands outside the database? */

import { systemClock } from "../base/clock.js";
import { openAnchorPlace } from "../main/anchoring.js";
import { readPublished } from "../main/policy.js";
import type { AnchorPlace } from "../runbook/port.js";
import { anchorAudit, describeContradiction, listAnchors } from "../runtime/anchor-audit.js";
import { findContradiction } from "../store/anchors.js";
import { verifyAudit } from "../store/audit.js";
import type { Sql } from "../store/database.js";
import { parseCommandLine } from "./arguments.js";
import { commandOfVerbs, EXIT_FAILED, EXIT_OK, type Verb } from "./command.js";
import { withDatabase } from "./settings.js";

const ANCHORS = { type: "string" } as const;
/** Of all that is asked of the place. */
const PLACE_MS = 60_000;

const verifyVerb: Verb = {
  usage: "audit verify [--anchors PLACE] [--json]",
  does: "check the hash chain of the audit log, and its anchors outside the database",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { json: { type: "boolean" }, anchors: ANCHORS });
    const verdict = await withDatabase(io, (db, config) =>
      verify(db, openAnchorPlace(config, io.cwd, values.anchors)),
    );
    if (values.json) io.out(JSON.stringify(verdict));
    else for (const line of describe(verdict)) io.out(line);
    return verdict.ok ? EXIT_OK : EXIT_FAILED;
  },
};

const anchorVerb: Verb = {
  usage: "audit anchor [--anchors PLACE] [--json]",
  does: "put the head of the audit log outside the database now",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { json: { type: "boolean" }, anchors: ANCHORS });
    return withDatabase(io, async (db, config) => {
      const place = openAnchorPlace(config, io.cwd, values.anchors);
      const { system } = (await readPublished(db)).set;
      const deps = { db, place, system, clock: systemClock };
      const anchored = await anchorAudit(deps, AbortSignal.timeout(PLACE_MS));
      if (values.json) io.out(JSON.stringify({ ...anchored, place: place.place }));
      else if (anchored.outcome === "nothing-new")
        io.out(`entry ${anchored.seq} is the newest, and is anchored`);
      else io.out(`anchored entry ${anchored.seq} at ${place.place}/${anchored.name}`);
      return EXIT_OK;
    });
  },
};

export const auditCommand = commandOfVerbs("audit", {
  verify: verifyVerb,
  anchor: anchorVerb,
});

interface Verified {
  readonly ok: boolean;
  readonly entries: number;
  readonly brokenAt: number | null;
  /** How many were compared. */
  readonly anchors: number;
  readonly place: string;
  /** One clause; null: every anchor fits. */
  readonly contradiction: string | null;
}

async function verify(db: Sql, place: AnchorPlace): Promise<Verified> {
  const chain = await verifyAudit(db);
  const anchors = await listAnchors(place, AbortSignal.timeout(PLACE_MS));
  const found = await findContradiction(db, anchors);
  return {
    ...chain,
    ok: chain.ok && found === null,
    anchors: anchors.length,
    place: place.place,
    contradiction: found && describeContradiction(found),
  };
}

function describe({ entries, brokenAt, anchors, place, contradiction }: Verified): string[] {
  const chain =
    brokenAt === null
      ? `${entries} entries, the chain holds`
      : `the chain is broken at entry ${brokenAt} of ${entries}`;
  if (contradiction !== null) return [chain, `${contradiction} (${place})`];
  const compared = anchors === 0 ? "no anchor was found" : `${anchors} anchors fit`;
  return [chain, `${compared} (${place})`];
}
