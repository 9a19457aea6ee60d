/** What it means that a plan may do more for some days. */
import type { PlanException } from "../plan-review.js";
import { exchange, type Judge, type Meaning, moment, type Rows, verdict } from "./row.js";

const WIDER: Meaning = ["looser", "something else is let through"];

/** `delete of aws_s3_bucket.exports in staging until 2026-12-01`. */
function exceptionWords({ allows, address, environment, expires }: PlanException): string {
  return `${allows} of ${address} in ${environment} until ${expires}`;
}

const judgeException: Judge = ({ operation, before, after }) => {
  const isNew = operation.op === "add";
  const words = exceptionWords((isNew ? after : before) as unknown as PlanException);
  return isNew
    ? verdict("a plan may do", ["looser", words])
    : verdict("a plan may not do any more", ["stricter", words]);
};

export const EXCEPTION_ROWS: Rows = {
  "exceptions.*": judgeException,
  "exceptions.*.name": exchange("name"),
  "exceptions.*.allows": exchange("lets through", WIDER),
  "exceptions.*.address": exchange("at", WIDER),
  "exceptions.*.environment": exchange("in", WIDER),
  "exceptions.*.owner": exchange("owner"),
  "exceptions.*.reason": exchange("reason"),
  "exceptions.*.expires": moment("until", {
    later: ["looser", "let through for longer"],
    sooner: ["stricter", "let through for a shorter time"],
  }),
};
