/**
 * Sends one notice of the outbox. It goes out once its turn has come (order, tokens per minute, a configured
 * receiver), or becomes a dead letter, which is an error in the log. Waiting burns no attempt: an outbox that gives up
 * after a minute would lose the pages of the hour in which the pager is away.
 */
import type { Delivered, Delivery, Notifier } from "../../alert/port.js";
import { backoffMs } from "../../base/backoff.js";
import { DAY_MS, MINUTE_MS } from "../../base/duration.js";
import { type Fault, fault, toFault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { NoticePayload } from "../../job/payloads.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import type { PolicySet, Receiver } from "../../policy/policy.js";
import type { Database } from "../../store/database.js";
import {
  DIGEST_REASONS,
  hasEarlierNotice,
  listSentSince,
  markNoticeDead,
  markNoticeFailed,
  markNoticeSending,
  markNoticeSent,
  type Notice,
  readNotice,
} from "../../store/notices.js";

export interface NoticeHandlerDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  /** By kind of receiver; a kind that is not configured is missing, and its notices wait. */
  readonly notifiers: ReadonlyMap<Receiver["kind"], Notifier>;
  /** In [0, 1). */
  readonly random: () => number;
}

/** A missing token may be set at any time. */
const WITHHELD_RETRY_MS = MINUTE_MS;
/** Behind an older notice of the same trouble. */
const TURN_RETRY_MS = 1_000;
/** What is a day old is no news; it is kept as never delivered. */
const EXPIRES_AFTER_MS = DAY_MS;
/** Our own retries of a passing failure: about 2, 4, 8 s … and at most a minute apart. */
const BACKOFF = { baseMs: 1_000, capMs: MINUTE_MS, jitter: 0.2 };

export function createNoticeHandler(deps: NoticeHandlerDeps): JobHandler {
  return {
    kind: "notice",
    run: async (context): Promise<JsonObject> => {
      const { notice_id: id } = context.job.payload as NoticePayload;
      const notice = await readNotice(deps.db, id);
      if (!notice) throw fault.data("NOTICE_UNKNOWN", `there is no notice ${id}`);
      if (notice.status !== "pending") return { notice_id: id, status: notice.status };
      const receiver = deps.policy().routes.receivers[notice.receiver];
      if (!receiver)
        return bury(deps, context, notice, `no receiver "${notice.receiver}" in routes`);
      const ageMs = context.now().getTime() - notice.createdAt.getTime();
      if (ageMs > EXPIRES_AFTER_MS) return bury(deps, context, notice, "not delivered for a day");
      const notifier = deps.notifiers.get(receiver.kind);
      if (!notifier) throw await withhold(deps, context, notice, receiver);
      await waitForTurn(deps, context, notice, receiver);
      return send(deps, context, notice, { receiver, notifier });
    },
  };
}

async function bury(
  deps: NoticeHandlerDeps,
  context: JobContext,
  notice: Notice,
  error: string,
): Promise<JsonObject> {
  await markNoticeDead(deps.db, notice.id, error);
  context.log.error("notice.dead-lettered", { ...fieldsOf(notice), error });
  return { notice_id: notice.id, status: "dead", error };
}

/** Nobody is configured who could carry it: it stays in the outbox with the reason, and is looked at again. */
async function withhold(
  deps: NoticeHandlerDeps,
  context: JobContext,
  notice: Notice,
  receiver: Receiver,
): Promise<Fault> {
  const error = `${receiver.kind} is not configured`;
  await markNoticeFailed(deps.db, notice.id, { error, tried: false });
  // Said once; the outbox shows it for as long as it lasts.
  if (notice.lastError !== error) {
    context.log.warn("notice.withheld", { ...fieldsOf(notice), error });
  }
  return fault.waiting("NOTICE_WITHHELD", error, {
    retryAfterMs: WITHHELD_RETRY_MS,
    hint: HINTS[receiver.kind],
  });
}

const HINTS: Readonly<Record<Receiver["kind"], string>> = {
  slack: "set SLACK_BOT_TOKEN",
  pagerduty: "set PAGERDUTY_ROUTING_KEY",
  webhook: "this process has no webhook notifier",
  email: "set SMTP_URL and SMTP_FROM",
};

/** Throws a waiting Fault until it is this notice's turn. */
async function waitForTurn(
  deps: NoticeHandlerDeps,
  context: JobContext,
  notice: Notice,
  receiver: Receiver,
): Promise<void> {
  if (await hasEarlierNotice(deps.db, notice)) {
    throw fault.waiting("NOTICE_BEHIND", "an older notice of the same trouble goes first", {
      retryAfterMs: TURN_RETRY_MS,
    });
  }
  // The evaluator folds what is too much; a digest is what came of it.
  if ((DIGEST_REASONS as readonly string[]).includes(notice.reason)) return;
  // Critical ones have tokens of their own: a storm of warnings must not hold back a page.
  const lane = { receiver: receiver.name, critical: notice.severity === "sev1" };
  const now = context.now().getTime();
  const sent = await listSentSince(deps.db, lane, new Date(now - MINUTE_MS), receiver.perMinuteMax);
  const oldest = sent.at(-1);
  if (sent.length < receiver.perMinuteMax || !oldest) return;
  throw fault.waiting(
    "NOTICE_RATE_LIMITED",
    `${receiver.perMinuteMax} a minute to ${receiver.name}`,
    {
      retryAfterMs: Math.max(oldest.getTime() + MINUTE_MS - now, TURN_RETRY_MS),
    },
  );
}

interface Way {
  readonly receiver: Receiver;
  readonly notifier: Notifier;
}

async function send(
  deps: NoticeHandlerDeps,
  context: JobContext,
  notice: Notice,
  way: Way,
): Promise<JsonObject> {
  try {
    const { reference } = await deliverOnce(deps, context, notice, way);
    await markNoticeSent(deps.db, notice.id, { reference, at: context.now() });
    context.log.info("notice.sent", { ...fieldsOf(notice), reference });
    return { notice_id: notice.id, status: "sent", reference };
  } catch (thrown) {
    // A stop of this process says nothing about the receiver.
    if (context.signal.aborted) throw thrown;
    return afterFailure(deps, context, notice, way.receiver, toFault(thrown));
  }
}

/** Where the same said twice would be heard twice, it is looked for first when an answer to it was lost. */
async function deliverOnce(
  deps: NoticeHandlerDeps,
  { log, now, signal }: JobContext,
  notice: Notice,
  { receiver, notifier }: Way,
): Promise<Delivered> {
  const delivery = toDelivery(notice, receiver);
  if (!notifier.find) return notifier.deliver(delivery, signal);
  const found = notice.sendingAt && (await lookFor(notifier, delivery, notice.createdAt, signal));
  if (found) {
    log.info("notice.found", { ...fieldsOf(notice), reference: found.reference });
    return found;
  }
  await markNoticeSending(deps.db, notice.id, now());
  return notifier.deliver(delivery, signal);
}

/** A look that can never succeed tells nothing, and must not keep the notice from going out. */
async function lookFor(
  notifier: Notifier,
  delivery: Delivery,
  since: Date,
  signal: AbortSignal,
): Promise<Delivered | null> {
  try {
    return (await notifier.find?.(delivery, since, signal)) ?? null;
  } catch (thrown) {
    const { kind } = toFault(thrown);
    if (kind === "data" || kind === "refused") return null;
    throw thrown;
  }
}

/** Throws a waiting Fault while it may still go out. */
async function afterFailure(
  deps: NoticeHandlerDeps,
  context: JobContext,
  notice: Notice,
  { triesMax }: Receiver,
  failure: Fault,
): Promise<JsonObject> {
  const error = `${failure.code}: ${failure.message}`;
  const tries = notice.attempts + 1;
  const isHopeless = failure.kind === "data" || failure.kind === "refused";
  if (isHopeless) return bury(deps, context, notice, error);
  const tried = failure.kind !== "waiting";
  // A refusal is an answer, and what never left us was not taken; all else may have been.
  const refused = !tried || failure.details.sent === false;
  await markNoticeFailed(deps.db, notice.id, { error, tried, refused });
  if (tried && triesMax !== null && tries >= triesMax)
    return bury(deps, context, notice, `${error}, ${tries} times`);
  const retryAfterMs = failure.retryAfterMs ?? backoffMs(BACKOFF, tries, deps.random());
  const attempt = notice.attempts + Number(tried);
  context.log.warn("notice.failed", {
    ...fieldsOf(notice),
    attempt,
    error,
    retry_ms: retryAfterMs,
  });
  throw fault.waiting(failure.code, failure.message, {
    retryAfterMs,
    hint: failure.hint,
    cause: failure,
    details: failure.details,
  });
}

function toDelivery(notice: Notice, receiver: Receiver): Delivery {
  const { id: noticeId, dedupKey, action, severity, source, message, details, alerts } = notice;
  const said = { dedupKey, action, severity, source, message, details, alerts };
  return { receiver, noticeId, ...said };
}

function fieldsOf(notice: Notice) {
  return {
    notice_id: notice.id,
    receiver: notice.receiver,
    dedup_key: notice.dedupKey,
    action: notice.action,
  };
}
