/**
 * `/algobrain stop`, carried out at the door itself: the switch is a file first and a row second, so that it works
 * with the database gone and with every worker stuck. Stopping is the safe side: an operator may. Going on is an
 * order like others, and an admin's (slack-orders.ts).
 */
import { errorMessage } from "../base/fault.js";
import type { Message } from "../message/message.js";
import { isAtLeast, type Person, type PolicySet } from "../policy/policy.js";
import { findPerson, nameOf } from "../runbook/identity.js";
import type { StopReached, StopSwitchPort } from "../runbook/stop.js";
import { recordIgnored } from "../store/inbound.js";
import type { DoorDeps } from "./deps.js";
import type { StoredCommand } from "./slack-request.js";

/** Each of the two, of Slack's 3 s. */
const ORDER_MS = 1_200;
const NO_REASON = "no reason given";

type StopDeps = DoorDeps & {
  readonly stop: StopSwitchPort;
  readonly policy: () => PolicySet;
};

export async function stopAtTheDoor(
  deps: StopDeps,
  inbound: StoredCommand,
  reason: string | undefined,
): Promise<Message> {
  const { team, user } = inbound.body;
  const claim = { door: "slack", team, user } as const;
  const person = findPerson(deps.policy().access, claim);
  const isAllowed = person !== null && isAtLeast(person.role, "operator");
  const outcome = isAllowed
    ? `stopped by ${person.name} at the door`
    : `${person?.name ?? nameOf(claim)} may not stop runs`;
  const isRepeat = await isKnown(deps, inbound, outcome);
  if (!isAllowed) return mayNotStop(deps, person, nameOf(claim));
  // Slack's second delivery must not stop again what was let go in between.
  if (isRepeat) return ALREADY_STOPPED;
  return order(deps, person.name, reason ?? NO_REASON);
}

/** Keeps the command. With the database away nobody knows: then it counts as new. */
async function isKnown(
  { db, clock, log }: StopDeps,
  inbound: StoredCommand,
  outcome: string,
): Promise<boolean> {
  const isInTime = new AbortController();
  const kept = db
    .transaction((tx) => recordIgnored(tx, inbound, outcome))
    .catch((thrown: unknown) => {
      log.error("door.unrecorded", { door: "slack", error: errorMessage(thrown) });
      return true;
    });
  const late = clock.sleep(ORDER_MS, isInTime.signal).then(() => true);
  const isFresh = await Promise.race([kept, late]);
  isInTime.abort();
  return !isFresh;
}

async function order(deps: StopDeps, by: string, reason: string): Promise<Message> {
  const { stop, clock, log } = deps;
  const isInTime = new AbortController();
  const set = stop.set({ by, reason }).catch((thrown: unknown): StopReached => {
    log.error("door.stop-failed", { by, error: errorMessage(thrown) });
    return { file: false, database: false };
  });
  // The file is written first: what is late is the database.
  const late = clock.sleep(ORDER_MS, isInTime.signal).then((): StopReached => {
    return { file: stop.readLocal() !== null, database: false };
  });
  const reached = await Promise.race([set, late]);
  isInTime.abort();
  log.warn("door.stopped", { by, ...reached });
  return reached.file || reached.database ? stopped(by, reason, reached) : NOT_STOPPED;
}

function stopped(by: string, reason: string, { database }: StopReached): Message {
  return {
    tone: "warning",
    title: `All runbooks stop, by ${by}: ${reason}`,
    text: database
      ? "No further step begins on any machine; a step that changes something is ended. `/algobrain resume-runbooks` lets them go on."
      : "No further step begins on this machine. The database is away, so other machines do not know it yet: run `algobrain runbook stop` on each, or type this again when the database is back.",
  };
}

function mayNotStop({ log }: StopDeps, person: Person | null, identity: string): Message {
  log.warn("door.stop-refused", { identity });
  return {
    tone: "warning",
    title: "Not stopped",
    text: person
      ? `Stopping all runbooks needs the role operator, and ${person.name} is ${person.role}.`
      : `Nobody in access.yaml has the Slack identity ${identity.replace("slack:", "")}: add it to a person there by pull request.`,
  };
}

const ALREADY_STOPPED: Message = {
  tone: "info",
  title: "Already here: stop",
  text: "Slack sent this once before; it was carried out then.",
};
const NOT_STOPPED: Message = {
  tone: "bad",
  title: "Not stopped",
  text: "Neither the file nor the row of the stop switch could be written: on the machine itself, run `algobrain runbook stop`, or end its executor.",
};
