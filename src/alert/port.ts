/** What the alert room asks of the outside: samples in, deliveries out. Adapters fit these. */
import type { JsonObject } from "../base/json.js";
import type { Message } from "../message/message.js";
import type { Metric, Receiver, Severity } from "../policy/policy.js";

export interface Delivery {
  readonly receiver: Receiver;
  /** Of the outbox: one delivery, however often it is tried. Null: said past the outbox, by a process alone. */
  readonly noticeId: number | null;
  /** How many alerts it speaks of. */
  readonly alerts: number;
  /** Stable over retries and restarts: the same trouble has the same key. */
  readonly dedupKey: string;
  readonly action: "trigger" | "resolve";
  readonly severity: Severity;
  /** Where it happened, e.g. `algobrain/queue-depth-high`. */
  readonly source: string;
  readonly message: Message;
  /** Machine-readable facts for webhooks and PagerDuty's custom details. */
  readonly details: JsonObject;
}

export interface Delivered {
  /** The receiver's own name of it: Slack `channel/ts`, PagerDuty dedup key. Null when it has none. */
  readonly reference: string | null;
}

/** One kind of receiver. Throws a Fault: transient (again), waiting (at a time), data (never). */
export interface Notifier {
  readonly kind: Receiver["kind"];
  deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered>;
  /**
   * Looks for a delivery whose answer was lost. Only where saying it twice is no harmless thing and one can look;
   * null: it is not there, or one cannot tell.
   */
  find?(delivery: Delivery, since: Date, signal: AbortSignal): Promise<Delivered | null>;
}

/** Where what we measure goes besides our own store. Fire and forget: a lost datagram delays nobody. */
export interface MetricsSink {
  send(samples: readonly ExportedSample[]): void;
  /** The service check of the orchestrator's heartbeat. */
  heartbeat(isAlive: boolean): void;
  close(): Promise<void>;
}

export interface ExportedSample {
  /** Dotted, as in metrics.yaml. */
  readonly metric: string;
  readonly kind: Metric["kind"];
  readonly labels: Readonly<Record<string, string>>;
  /** Counters: what they hold, not what they grew by. */
  readonly value: number;
}

/** Where errors go besides our own log: redacted, bounded, and never in the way of what failed. */
export interface ErrorSink {
  report(error: ReportedError): void;
  /** Ends with the signal, whatever is still unsent. */
  flush(signal: AbortSignal): Promise<void>;
}

export interface ReportedError {
  /** The log event, e.g. `job.failed`. */
  readonly event: string;
  readonly error: string;
  readonly code: string | null;
  readonly fields: JsonObject;
}
