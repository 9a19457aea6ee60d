/** A notice on its way into the outbox: tests say only what matters to them. */
import type { NewNotice } from "../../src/store/notices.js";

export function makeNotice(overrides: Partial<NewNotice> = {}): NewNotice {
  return {
    receiver: "ops",
    dedupKey: "algobrain/queue-depth-high/all",
    action: "trigger",
    severity: "sev2",
    source: "algobrain/queue-depth-high",
    message: { tone: "bad", title: "Queue depth high" },
    details: { value: 1523 },
    reason: "first-notification",
    ...overrides,
  };
}
