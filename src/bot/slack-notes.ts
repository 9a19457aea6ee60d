/**
 * What people say at an incident, by `/algobrain note`: a line of its timeline, at the time at which it was typed
 * (AM-inc-01). The rest of a channel is not read: what belongs to the record is said on purpose.
 */
import type { Message } from "../message/message.js";
import { isAtLeast } from "../policy/policy.js";
import type { Sql } from "../store/database.js";
import { listIncidents, noteIncident } from "../store/incidents.js";
import type { Command } from "./command.js";
import type { InboundEvent } from "./inbound-event.js";
import {
  type Answered,
  actorOf,
  refused,
  refuseStranger,
  type SlackAsker,
} from "./slack-orders.js";

type Note = Extract<Command, { kind: "note" }>;

const OPEN = ["open", "acknowledged"] as const;
/** Named when it is not clear which is meant. */
const NAMED_MAX = 10;

export async function carryOutNote(
  tx: Sql,
  event: InboundEvent,
  asker: SlackAsker,
  { number, text }: Note,
  typedAt: Date,
): Promise<Answered> {
  const actor = actorOf(event, asker);
  if (!actor) return refuseStranger(tx, asker, "note");
  if (!isAtLeast(actor.role, "operator"))
    return refused("note", `it needs the role operator, and ${actor.name} is ${actor.role}`);
  const meant = number === null ? await theOpenOne(tx) : { number };
  if ("sentence" in meant) return refused("note", meant.sentence);
  const note = { text, door: "slack", key: `inbound-${event.inbound.id}` };
  const isThere = await noteIncident(tx, meant.number, note, { by: actor.name, now: typedAt });
  if (!isThere) return refused("note", `there is no incident ${meant.number}`);
  const reply: Message = { tone: "good", title: `Noted in ${meant.number}`, text };
  return { settled: { status: "handled", outcome: `noted in ${meant.number}` }, reply };
}

async function theOpenOne(
  tx: Sql,
): Promise<{ readonly number: string } | { readonly sentence: string }> {
  const open = await listIncidents(tx, { statuses: OPEN, limit: NAMED_MAX });
  const [first, ...others] = open;
  if (!first)
    return { sentence: "no incident is open: say which one, e.g. note INC-2026-11-22-001 …" };
  if (others.length === 0) return { number: first.number };
  const names = open.map((one) => `${one.number} (${one.title})`).join(", ");
  return { sentence: `${open.length} incidents are open, say which one: ${names}` };
}
