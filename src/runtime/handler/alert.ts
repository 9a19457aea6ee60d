/**
 * alert (HB-wrk-08): sends a test message to receivers of the routes, so that people know the way to them
 * is open before it matters. Its key is the job's, so a retry is the same message again and no second page.
 */

import type { Delivered, Delivery } from "../../alert/port.js";
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import { didYouMean } from "../../base/similar.js";
import type { JobHandler } from "../../job/port.js";
import type { PolicySet, Receiver, Routes } from "../../policy/policy.js";
import type { AlertPayload } from "./system-kinds.js";

/** Hands a delivery to the notifier of its receiver's kind. Throws a Fault as `Notifier.deliver` does. */
export type Notify = (delivery: Delivery, signal: AbortSignal) => Promise<Delivered>;

export interface AlertDeps {
  readonly policy: () => PolicySet;
  readonly notify: Notify;
}

export function createAlertHandler(deps: AlertDeps): JobHandler {
  return {
    kind: "alert",
    run: async ({ job, signal }): Promise<JsonObject> => {
      const payload = job.payload as AlertPayload;
      const policy = deps.policy();
      const delivered: JsonObject = {};
      for (const receiver of receiversOf(payload, policy.routes)) {
        const delivery = testDelivery(receiver, payload, policy.system, job.id);
        delivered[receiver.name] = (await deps.notify(delivery, signal)).reference;
      }
      return { delivered };
    },
  };
}

function receiversOf(payload: AlertPayload, { receivers, runtimeReceivers }: Routes): Receiver[] {
  return (payload.receivers ?? runtimeReceivers.operator).map((name) => {
    const receiver = receivers[name];
    if (receiver) return receiver;
    throw fault.data("RECEIVER_UNKNOWN", `there is no receiver "${name}" in routes.yaml`, {
      hint: didYouMean(name, Object.keys(receivers)),
    });
  });
}

function testDelivery(
  receiver: Receiver,
  payload: AlertPayload,
  system: string,
  jobId: string,
): Delivery {
  return {
    receiver,
    ...{ noticeId: null, alerts: 1 },
    dedupKey: `${system}/test/${jobId}`,
    action: "trigger",
    severity: payload.severity ?? "sev4",
    source: `${system}/test`,
    message: {
      tone: "info",
      title: payload.title ?? `Test message of ${system}`,
      text: payload.text ?? "The way to this receiver is open. Nothing needs to be done.",
      footer: jobId,
    },
    details: { test: true, job_id: jobId },
  };
}
