/**
 * What a person orders about a run that is there, by a button or by typed words: both go the same way, to the
 * decision that the API goes to. A button carries a lookup key; who may is judged by who pressed it.
 */
import type { Message } from "../message/message.js";
import { isAtLeast } from "../policy/policy.js";
import type { Actor } from "../runbook/authorize.js";
import { findPerson, nameOf } from "../runbook/identity.js";
import { runNonce } from "../runbook/telling.js";
import { castVoteWithin } from "../store/approvals.js";
import { appendAudit } from "../store/audit.js";
import type { Sql } from "../store/database.js";
import { cancelRunAs, undoRunAs } from "../store/order-run.js";
import { tellRun } from "../store/run-telling.js";
import { readRun } from "../store/runs.js";
import { clearStopRow, setStopRow } from "../store/stop-switch.js";
import type { Command, RunOrder } from "./command.js";
import type { InboundEvent, Settled } from "./inbound-event.js";

/** Who it is, as Slack has signed it. */
export interface SlackAsker {
  readonly team: string;
  readonly user: string;
  readonly channel: string | null;
}

export interface OrderedRun {
  readonly order: RunOrder;
  readonly runId: string;
  /** Of the button; null: typed. */
  readonly nonce: string | null;
  readonly reason: string | undefined;
}

/** What became of it, and what the asker is told. */
export interface Answered {
  readonly settled: Settled;
  /** Null: the run's own message says it. */
  readonly reply: Message | null;
}

export async function carryOutOrder(
  tx: Sql,
  event: InboundEvent,
  asker: SlackAsker,
  ordered: OrderedRun,
): Promise<Answered> {
  const isVote = ordered.order === "approve" || ordered.order === "deny";
  return isVote ? vote(tx, event, asker, ordered) : move(tx, event, asker, ordered);
}

async function vote(
  tx: Sql,
  event: InboundEvent,
  { team, user }: SlackAsker,
  { order, runId, nonce, reason }: OrderedRun,
): Promise<Answered> {
  const verdict = await castVoteWithin(tx, {
    claim: { door: "slack", team, user },
    ...{ runId, nonce, reason, boundHash: null },
    decision: order === "approve" ? "approve" : "deny",
    access: event.policy().access,
  });
  if (!verdict.accepted) return refused(`${order} ${runId}`, verdict.sentence);
  const run = await readRun(tx, runId);
  const runbook = run && event.registry.find(run.runbook)?.runbook;
  if (run) await tellRun(tx, run, { runbook: runbook ?? null });
  return done(`${order} ${runId}`, verdict.sentence);
}

async function move(
  tx: Sql,
  event: InboundEvent,
  asker: SlackAsker,
  { order, runId, nonce, reason = `by ${order} in Slack` }: OrderedRun,
): Promise<Answered> {
  const asked = `${order} ${runId}`;
  const actor = actorOf(event, asker);
  if (!actor) return refuseStranger(tx, asker, asked);
  const misplaced = nonce === null ? null : await findOtherRun(tx, runId, nonce);
  if (misplaced) return refuse(tx, actor.name, asked, misplaced);
  const { registry, policy } = event;
  const common = { id: runId, actor, reason, registry, access: policy().access };
  if (order === "cancel") {
    const answer = await cancelRunAs(tx, common);
    return answer.outcome === "refused"
      ? refused(asked, answer.sentence)
      : done(asked, answer.sentence);
  }
  const chat = asker.channel === null ? null : { channel: asker.channel, ts: null };
  const answer = await undoRunAs(tx, { ...common, chat });
  if (answer.outcome === "refused") return refused(asked, answer.sentence);
  return { settled: { status: "handled", outcome: `queued as ${answer.run.id}` }, reply: null };
}

/** A message from before a restore of the database may name a run that is another one now. */
async function findOtherRun(tx: Sql, runId: string, nonce: string): Promise<string | null> {
  const run = await readRun(tx, runId);
  if (!run || runNonce(run) === nonce) return null;
  return `this button belongs to another ${runId}, of before: type the command instead`;
}

/** Going on again is an admin's: whoever stopped everything had a reason. */
export async function carryOutSwitch(
  tx: Sql,
  event: InboundEvent,
  asker: SlackAsker,
  command: Extract<Command, { kind: "stop" | "resume-runbooks" }>,
): Promise<Answered> {
  const actor = actorOf(event, asker);
  if (!actor) return refuseStranger(tx, asker, command.kind);
  const needed = command.kind === "stop" ? "operator" : "admin";
  if (!isAtLeast(actor.role, needed))
    return refuse(
      tx,
      actor.name,
      command.kind,
      `it needs the role ${needed}, and ${actor.name} is ${actor.role}`,
    );
  const order = { by: actor.name, reason: command.reason ?? "no reason given" };
  if (command.kind === "stop") {
    const { by, reason } = await setStopRow(tx, order);
    return done("stop", `all runbooks stop, by ${by ?? actor.name}: ${reason ?? ""}`);
  }
  const wasOn = await clearStopRow(tx, order);
  return done(command.kind, wasOn ? "runbooks go on" : "they were not stopped");
}

/** Null: nobody in access.yaml. */
export function actorOf({ policy }: InboundEvent, { team, user }: SlackAsker): Actor | null {
  const person = findPerson(policy().access, { door: "slack", team, user });
  return person && { name: person.name, role: person.role, door: "slack", person: person.name };
}

export async function refuseStranger(
  tx: Sql,
  { team, user }: SlackAsker,
  asked: string,
): Promise<Answered> {
  const identity = `${team}/${user}`;
  await appendAudit(tx, {
    actor: nameOf({ door: "slack", team, user }),
    action: "run.refused",
    target: "runbook:unknown",
    details: { reason: "unknown-person", text: asked.slice(0, 200), door: "slack" },
  });
  const sentence = `nobody in access.yaml has the Slack identity ${identity}: add it to a person there by pull request`;
  return refused(asked, sentence);
}

async function refuse(tx: Sql, actor: string, asked: string, sentence: string): Promise<Answered> {
  const details = { asked, sentence, door: "slack" };
  await appendAudit(tx, {
    actor,
    action: "run.order-refused",
    target: asked.slice(0, 100),
    details,
  });
  return refused(asked, sentence);
}

export function refused(asked: string, sentence: string): Answered {
  const reply: Message = { tone: "warning", title: `Not done: ${asked}`, text: sentence };
  return { settled: { status: "refused", outcome: sentence }, reply };
}

function done(asked: string, sentence: string): Answered {
  return {
    settled: { status: "handled", outcome: sentence },
    reply: { tone: "good", title: asked, text: sentence },
  };
}
