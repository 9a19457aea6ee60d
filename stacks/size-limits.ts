/** Documents inside documents: what IAM and CloudWatch take at most ("IAM and AWS STS quotas"), and whether they are JSON. */
import { isJsonObject, type Json, type JsonObject } from "../src/base/json.js";
import type { Limit } from "./limit-values.js";

/** Characters, white space not counted. */
const TRUST_MAX = 2_048;
const MANAGED_MAX = 6_144;
/** Of all inline policies of a role together; each has one of ours. */
const INLINE_MAX = 10_240;
const WIDGETS_MAX = 500;

export const SIZE_LIMITS: Readonly<Record<string, Limit>> = {
  aws_cloudwatch_dashboard: dashboard,
  aws_iam_policy: ({ policy }) => sized("a policy", policy, MANAGED_MAX),
  aws_iam_role: ({ assume_role_policy }) => sized("a trust policy", assume_role_policy, TRUST_MAX),
  aws_iam_role_policy: ({ policy }) => sized("a policy", policy, INLINE_MAX),
};

/** Expressions count as they are written: an ARN is seldom longer than the reference to it. */
function sized(what: string, value: Json | undefined, max: number): string[] {
  if (typeof value !== "string") return [];
  const length = value.replace(/\s/g, "").length;
  return length > max ? [`has ${what} of ${length} characters; IAM takes ${max}`] : [];
}

function dashboard({ dashboard_body }: JsonObject): string[] {
  if (typeof dashboard_body !== "string") return [];
  const body = parsed(dashboard_body);
  if (!isJsonObject(body) || !Array.isArray(body.widgets))
    return ["has a dashboard_body that is no JSON object with widgets"];
  const count = body.widgets.length;
  return count > WIDGETS_MAX ? [`has ${count} widgets; CloudWatch takes ${WIDGETS_MAX}`] : [];
}

/** Null for what is no JSON: the finding says so. */
function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
