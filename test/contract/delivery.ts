/** A notice on its way to a receiver: contract suites say only what matters to them. */
import type { Delivery } from "../../src/alert/port.js";
import { Fault } from "../../src/base/fault.js";
import type { Receiver } from "../../src/policy/policy.js";

export const SLACK_RECEIVER: Receiver = {
  name: "ops",
  kind: "slack",
  channel: "#ops",
  perMinuteMax: 20,
  triesMax: null,
  sendResolved: true,
};
export const PAGER: Receiver = {
  name: "pagerduty",
  kind: "pagerduty",
  perMinuteMax: 20,
  triesMax: null,
  sendResolved: true,
};

export function makeDelivery(overrides: Partial<Delivery> = {}): Delivery {
  return {
    receiver: PAGER,
    ...{ noticeId: 7, alerts: 1 },
    dedupKey: "algobrain/queue-depth-high/all",
    action: "trigger",
    severity: "sev2",
    source: "algobrain/queue-depth-high",
    message: { tone: "bad", title: "SEV2 Queue depth high", text: "Jobs wait." },
    details: { rule: "queue-depth-high", value: 1523 },
    ...overrides,
  };
}

export const never = (): AbortSignal => new AbortController().signal;

/** The Fault that a promise ends with; fails when it resolves. */
export async function faultOf(work: Promise<unknown>) {
  return work.then(
    (value) => {
      throw new Error(`expected a Fault, got ${JSON.stringify(value)}`);
    },
    (error: unknown) => {
      if (error instanceof Fault) return error;
      throw error;
    },
  );
}
