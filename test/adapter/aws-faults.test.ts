/** What a person is told to do when AWS cannot be asked, or says no: two different things. */
import { expect, test } from "vitest";
import { type AwsCall, callAws } from "../../src/adapter/aws-faults.js";
import type { Fault } from "../../src/base/fault.js";

const CALL: AwsCall = {
  ...{ system: "AWS", subject: "the role", action: "iam:GetRole" },
  ...{ timeoutMs: 60_000, signal: new AbortController().signal },
};
const named = (name: string) => Object.assign(new Error("no"), { name });

test.each([
  ["no credentials are found", named("CredentialsProviderError"), /a role, a profile or keys/],
  ["no region is set", new Error("Region is missing"), /set AWS_REGION/],
  ["the role may not", named("AccessDenied"), /let the role do iam:GetRole/],
])("%s", async (_why, error, hint) => {
  const fault = await callAws(CALL, () => Promise.reject(error)).catch((it: Fault) => it);
  expect(fault).toMatchObject({ kind: "waiting", code: "AWS_UNAUTHORIZED" });
  expect((fault as Fault).hint).toMatch(hint);
});
