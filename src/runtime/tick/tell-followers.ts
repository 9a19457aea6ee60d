/** Tells the incidents that joined a run what came of it (runbooks-chatops.md 4.4: they inherit its outcome). */
import { DAY_MS } from "../../base/duration.js";
import { toFault } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { Incidents } from "../../runbook/port.js";
import type { Database } from "../../store/database.js";
import {
  hasUntoldFollowers,
  listUntoldFollowers,
  markFollowerTold,
  type UntoldFollower,
} from "../../store/run-followers.js";
import type { RuntimeNotify, RuntimeWord } from "../runtime-word.js";
import type { Tick } from "../ticker.js";

const EVERY_MS = 5_000;
/** A storm is told in parts: a tick that hangs on one incident delays these many others. */
const AT_ONCE_MAX = 20;
/** Older news is no help at an incident. */
const TOLD_WITHIN_MS = DAY_MS;

export interface TellFollowersDeps {
  readonly db: Database;
  /** Null: there is no PagerDuty to write notes to. */
  readonly incidents: Pick<Incidents, "addNote"> | null;
  readonly notify: RuntimeNotify;
  readonly log: Logger;
}

export function tellFollowersTick(deps: TellFollowersDeps): Tick {
  return {
    name: "tell-followers",
    everyMs: EVERY_MS,
    run: async (now, signal) => {
      if (!(await hasUntoldFollowers(deps.db))) return;
      for (const follower of await listUntoldFollowers(deps.db, AT_ONCE_MAX)) {
        if (now.getTime() - follower.endedAt.getTime() < TOLD_WITHIN_MS)
          await addNote(deps, follower, signal);
        await deps.db.transaction(async (tx) => {
          const isFirst = await markFollowerTold(tx, follower);
          if (isFirst && follower.status !== "succeeded") await deps.notify(tx, wordOf(follower));
        });
      }
    },
  };
}

/** Throws what may pass, so that the next tick tries again; a note that is refused for good holds back no other. */
async function addNote(
  { incidents, log }: TellFollowersDeps,
  follower: UntoldFollower,
  signal: AbortSignal,
): Promise<void> {
  const { incidentId, runId } = follower;
  if (incidents === null || incidentId === null) return;
  try {
    await incidents.addNote(incidentId, noteOf(follower), `${runId}:inherited`, signal);
  } catch (thrown) {
    const fault = toFault(thrown);
    if (fault.kind !== "data" && fault.kind !== "refused") throw fault;
    log.warn("follower.given-up", { run_id: runId, incident_id: incidentId, error: fault.message });
  }
}

const ENDED: Readonly<Record<UntoldFollower["status"], string>> = {
  succeeded: "succeeded",
  failed: "failed",
  stalled: "is stalled: what its last step did is not known",
  cancelled: "was cancelled",
};

function noteOf({ runId, runbook, status, outcome }: UntoldFollower): string {
  const next =
    status === "succeeded"
      ? "Look whether this incident is over as well."
      : `A person is needed. Next: /algobrain ${runId}`;
  return `No run of its own: ${runId} (${runbook}) was at work on the same, and ${ENDED[status]}. ${outcome ?? ""} ${next}`;
}

/** One key a run: however many causes joined it, people are told once. */
function wordOf({ runId, runbook, status, outcome, causeKey }: UntoldFollower): RuntimeWord {
  return {
    audience: "operator",
    severity: "sev3",
    key: `${runId}/followers`,
    place: runId,
    message: {
      tone: "bad",
      title: `More than one cause waited for ${runId} (${runbook}), which ${ENDED[status]}`,
      text: `None of them starts a run of its own any more: a person is needed. ${outcome ?? ""}`,
    },
    details: { run_id: runId, runbook, cause: causeKey },
  };
}
