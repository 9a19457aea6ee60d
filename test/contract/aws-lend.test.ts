/** Credentials for exports alone, made on a stand-in of STS. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createBucketLender } from "../../src/adapter/aws-lend.js";
import { type StandInAws, startStandInAws } from "../../src/adapter/stand-in/aws.js";
import { faultOf, never } from "./delivery.js";

const ROLE = "arn:aws-cn:iam::123456789012:role/algobrain-exports";

let standIn: StandInAws;
beforeEach(async () => {
  standIn = await startStandInAws();
});
afterEach(() => standIn.close());

const OWN = { accessKeyId: "AKIA1", secretAccessKey: "the-secret-of-ours" };
const lend = (roleArn: string | null, prefix = "nightly") =>
  createBucketLender({
    ...{ region: "us-east-1", endpointUrl: standIn.url, credentials: OWN, timeoutMs: 5_000 },
    ...{ roleArn, bucket: "exports", prefix },
  })(never());

test("a session may write below the place of exports, and nothing else", async () => {
  const loan = await lend(ROLE);
  expect(loan.expiresAt).toEqual(new Date("2100-01-01T00:00:00Z"));
  expect(loan.sessionToken?.reveal()).toBe("the-token-of-a-session");
  expect(JSON.stringify(loan)).not.toMatch(/the-(secret|token)/);
  const session = standIn.sessions.get(loan.accessKeyId);
  expect(session).toMatchObject({ roleArn: ROLE, name: "algobrain-exports" });
  expect(JSON.parse(session?.policy ?? "")).toMatchObject({
    Statement: [
      {
        ...{ Effect: "Allow", Resource: ["arn:aws-cn:s3:::exports/nightly/*"] },
        Action: [
          ...["s3:PutObject", "s3:AbortMultipartUpload"],
          ...["s3:ListMultipartUploadParts", "s3:GetObject"],
        ],
      },
    ],
  });
});

test("without a role ours are lent as they are, and nobody is asked", async () => {
  const loan = await lend(null);
  expect([loan.accessKeyId, loan.secretAccessKey.reveal()]).toEqual([
    "AKIA1",
    "the-secret-of-ours",
  ]);
  expect([loan.sessionToken, loan.expiresAt, standIn.asked]).toEqual([null, null, []]);
});

test("without a place in it the bucket is the place", async () => {
  const { accessKeyId } = await lend(ROLE, "");
  expect(standIn.sessions.get(accessKeyId)?.policy).toContain('"arn:aws-cn:s3:::exports/*"');
});

test("a role that may not be assumed waits for a person, and the fault repeats no secret", async () => {
  const body =
    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>the-secret-of-ours may not</Message></Error></ErrorResponse>";
  const headers = { "content-type": "text/xml" };
  standIn.misbehave({ kind: "answer", answer: { status: 403, headers, body } });
  const fault = await faultOf(lend(ROLE));
  expect(fault).toMatchObject({ kind: "waiting", code: "AWS_UNAUTHORIZED" });
  expect(`${fault.message} ${fault.hint} ${JSON.stringify(fault.details)}`).not.toContain(
    "the-secret",
  );
});
