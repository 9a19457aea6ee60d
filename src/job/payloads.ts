/**
 * What the payload of the internal kinds looks like. The public kinds' schemas stand with their
 * handlers (workload/payloads, runtime/handler/system-kinds); all of them make one registry in main.
 */

import type { Static } from "typebox";
import { closed, Type } from "../base/type.js";
import type { KindSpec } from "./kinds.js";

const rowId = (description: string) => Type.Integer({ minimum: 1, description });

/** A run of a runbook that was asked for and stored. */
const runbookPayload = Type.Object(
  { run_id: Type.String({ pattern: "^run-[1-9][0-9]*$" }) },
  closed,
);
export type RunbookPayload = Static<typeof runbookPayload>;

/** A notice in the outbox. */
const noticePayload = Type.Object({ notice_id: rowId("id of a row in control.notice") }, closed);
export type NoticePayload = Static<typeof noticePayload>;

/** An event from outside that a door has stored and acknowledged. */
const inboundPayload = Type.Object({ inbound_id: rowId("id of a row in control.inbound") }, closed);
export type InboundPayload = Static<typeof inboundPayload>;

export const INTERNAL_KIND_SPECS: readonly KindSpec[] = [
  { kind: "runbook", lane: "executor", payload: runbookPayload },
  { kind: "notice", lane: "internal", payload: noticePayload },
  { kind: "inbound", lane: "internal", payload: inboundPayload },
];
