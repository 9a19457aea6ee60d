/** A generic webhook receiver: one JSON body a notice, understood by any system that can take a POST. */
import type { Delivery, Notifier } from "../alert/port.js";
import { fault } from "../base/fault.js";
import { toPlain } from "../message/plain.js";
import { faultOfStatus, sendHttp } from "./http.js";

const SYSTEM = "WEBHOOK";
const TIMEOUT_MS = 5_000;

/** At least once: receivers dedup by `notice_id`; `dedup_key` is the trouble, `status` how it stands. How often and how long is the outbox's. */
export function createWebhookNotifier(options: { readonly timeoutMs?: number } = {}): Notifier {
  return {
    kind: "webhook",
    deliver: async (delivery, signal) => {
      const { receiver } = delivery;
      if (receiver.kind !== "webhook") {
        throw fault.data("WEBHOOK_WRONG_RECEIVER", `receiver "${receiver.name}" is no webhook`);
      }
      const response = await sendHttp({
        system: SYSTEM,
        method: "POST",
        url: receiver.url,
        headers: { "content-type": "application/json" },
        body: JSON.stringify(toBody(delivery)),
        timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
        signal,
      });
      const refused = faultOfStatus(SYSTEM, response, "the notice");
      if (refused) throw refused;
      return { reference: null };
    },
  };
}

function toBody(delivery: Delivery) {
  return {
    version: 1,
    notice_id: delivery.noticeId,
    status: delivery.action === "trigger" ? "firing" : "resolved",
    alerts: delivery.alerts,
    dedup_key: delivery.dedupKey,
    action: delivery.action,
    severity: delivery.severity,
    source: delivery.source,
    title: delivery.message.title,
    text: toPlain(delivery.message),
    details: delivery.details,
  };
}
