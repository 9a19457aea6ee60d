/** What the alert room asks of the outside: samples in, deliveries out. Adapters fit these. */
import type { JsonObject } from "../base/json.js";
import type { Message } from "../message/message.js";
import type { Receiver, Severity } from "../policy/policy.js";

export interface Delivery {
  readonly receiver: Receiver;
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
}
