/**
 * Errors of our log to Sentry, by its envelope format (develop.sentry.dev/sdk/data-model/envelopes). No SDK: we send one
 * kind of item, and an SDK patches the program that loads it (docs/decisions/0046).
 */
import { createHash, randomUUID } from "node:crypto";
import type { ErrorSink, ReportedError } from "../alert/port.js";
import { MINUTE_MS } from "../base/duration.js";
import { toFault } from "../base/fault.js";
import { maskMails, maskMailsIn } from "../message/mask-mail.js";
import { faultOfStatus, sendHttp } from "./http.js";

export interface SentryOptions {
  /** `https://key@host/project`. */
  readonly dsn: string;
  /** The commit; null: not known. */
  readonly release: string | null;
  readonly environment: string;
  readonly now: () => Date;
  /** What was lost, and why: at most once a minute. */
  readonly onLost?: (lost: { readonly count: number; readonly error: string }) => void;
}

const TIMEOUT_MS = 5_000;
/** More than these wait for nobody. */
const QUEUE_MAX = 100;
/** Of one kind in a minute: the eleventh says nothing new. */
const PER_MINUTE_MAX = 10;
const CLIENT = "algobrain/0.1";

export function createSentry(options: SentryOptions): ErrorSink {
  return new Sentry(options);
}

interface Target {
  readonly url: string;
  readonly key: string;
}

class Sentry implements ErrorSink {
  readonly #options: SentryOptions;
  readonly #target: Target;
  readonly #queue: string[] = [];
  readonly #seen = new Map<string, { since: number; count: number }>();
  readonly #stopped = new AbortController();
  #sending: Promise<void> | null = null;
  #quietUntil = 0;
  #lost = { count: 0, toldAt: Number.NEGATIVE_INFINITY };

  constructor(options: SentryOptions) {
    this.#options = options;
    this.#target = targetOf(options.dsn);
  }

  report(error: ReportedError): void {
    const now = this.#options.now();
    const fingerprint = `${error.event}/${error.code ?? ""}`;
    if (this.#isTooOften(fingerprint, now.getTime())) return;
    if (this.#queue.length >= QUEUE_MAX) {
      this.#lose(1, "the queue is full");
      return;
    }
    this.#queue.push(envelopeOf(error, fingerprint, this.#options, now));
    this.#sending ??= this.#send();
  }

  async flush(signal: AbortSignal): Promise<void> {
    const stop = () => this.#stopped.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    await this.#sending;
    signal.removeEventListener("abort", stop);
  }

  /** One after the other; ends when nothing is left. Never rejects. */
  async #send(): Promise<void> {
    // Not before `#sending` says that it goes on.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const body = this.#queue.shift()!;
      if (this.#options.now().getTime() < this.#quietUntil) this.#lose(1, "Sentry asked for quiet");
      else await this.#post(body);
    }
    this.#sending = null;
  }

  async #post(body: string): Promise<void> {
    const { url, key } = this.#target;
    try {
      const answer = await sendHttp({
        ...{ system: "SENTRY", method: "POST", url, body, timeoutMs: TIMEOUT_MS },
        headers: {
          "content-type": "application/x-sentry-envelope",
          "x-sentry-auth": `Sentry sentry_version=7, sentry_key=${key}, sentry_client=${CLIENT}`,
        },
        signal: this.#stopped.signal,
      });
      const refused = faultOfStatus("SENTRY", answer, "the error");
      if (refused) throw refused;
    } catch (thrown) {
      const { message, retryAfterMs, kind } = toFault(thrown);
      if (kind === "waiting")
        this.#quietUntil = this.#options.now().getTime() + (retryAfterMs ?? MINUTE_MS);
      this.#lose(1, message);
    }
  }

  #isTooOften(fingerprint: string, nowMs: number): boolean {
    const seen = this.#seen.get(fingerprint);
    if (!seen || nowMs - seen.since >= MINUTE_MS) {
      this.#seen.set(fingerprint, { since: nowMs, count: 1 });
      return false;
    }
    seen.count += 1;
    return seen.count > PER_MINUTE_MAX;
  }

  #lose(count: number, error: string): void {
    this.#lost.count += count;
    const nowMs = this.#options.now().getTime();
    if (nowMs - this.#lost.toldAt < MINUTE_MS) return;
    this.#options.onLost?.({ count: this.#lost.count, error });
    this.#lost = { count: 0, toldAt: nowMs };
  }
}

/** Throws a TypeError for what is no DSN: the settings are checked at the start. */
function targetOf(dsn: string): Target {
  const { protocol, host, pathname, username } = new URL(dsn);
  const at = pathname.lastIndexOf("/");
  const [path, project] = [pathname.slice(0, at), pathname.slice(at + 1)];
  return { url: `${protocol}//${host}${path}/api/${project}/envelope/`, key: username };
}

/**
 * Three lines: the envelope's header, the item's header with the length of what follows in bytes, the event. Mail
 * addresses are masked: who they belong to has agreed to nothing with Sentry.
 */
function envelopeOf(
  { event, error, code, fields }: ReportedError,
  fingerprint: string,
  { release, environment }: SentryOptions,
  now: Date,
): string {
  const eventId = randomUUID().replaceAll("-", "");
  const payload = JSON.stringify({
    ...{ event_id: eventId, timestamp: now.toISOString(), platform: "node", level: "error" },
    ...{ logger: event, environment, ...(release !== null && { release }) },
    exception: { values: [{ type: code ?? event, value: maskMails(error) }] },
    fingerprint: [createHash("sha256").update(fingerprint).digest("hex").slice(0, 32)],
    tags: { event, ...(code !== null && { code }) },
    extra: maskMailsIn(fields),
  });
  const header = JSON.stringify({ event_id: eventId, sent_at: now.toISOString() });
  const item = JSON.stringify({ type: "event", length: Buffer.byteLength(payload) });
  return `${header}\n${item}\n${payload}\n`;
}
