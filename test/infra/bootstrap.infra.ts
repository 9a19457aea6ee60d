/** Bootstrap against an emulator of AWS: what it makes is there, and a second time there is nothing to do. */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetBucketPolicyCommand, PutBucketPolicyCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { groundOf } from "../../src/adapter/aws.js";
import { createIdentities } from "../../src/adapter/aws-foundation.js";
import { createStateBucket } from "../../src/adapter/aws-state-bucket.js";
import { systemClock } from "../../src/base/clock.js";
import { bootstrapCommand } from "../../src/cli/bootstrap.js";
import type { CommandIo } from "../../src/cli/command.js";
import { findMoto, MOTO_ACCOUNT, MOTO_REGION, type Moto, startMoto } from "../support/moto.js";

const BUCKET = "algobrain-staging-terraform-state";
const program = findMoto();

describe.skipIf(program === null)("moto: bootstrap", () => {
  let moto: Moto;
  beforeAll(async () => {
    moto = await startMoto(program ?? "");
  });
  afterAll(() => moto?.close());

  test("moto: makes bucket, provider, policies and roles once; then everything is there, and what was undone is done again", async () => {
    const first = await bootstrap("--env", "staging", "--yes");
    expect(first.err).toEqual([]);
    expect(first.status).toBe(0);
    expect(first.out.join("\n")).toMatch(
      /make the role algobrain-staging-plan, for repo:\S+:pull_request/,
    );
    expect(first.out.join("\n")).toMatch(
      /make the role algobrain-staging-apply, for repo:\S+:environment:staging/,
    );

    const second = await bootstrap("--env", "staging", "--yes");
    expect(second.out.join("\n")).toContain("everything is there");
    expect(second.out).toHaveLength(1);

    const identities = createIdentities(ground());
    const { trust } = (await identities.role("algobrain-staging-apply")) ?? { trust: "" };
    await identities.changeTrust(
      "algobrain-staging-apply",
      trust.replace(":environment:staging", ":*"),
    );
    const third = await bootstrap("--env", "staging", "--dry-run");
    expect(third.out).toEqual([
      expect.stringMatching(
        /^let algobrain-staging-apply be taken by repo:\S+:environment:staging alone$/,
      ),
    ]);
  });

  test("moto: credentials of another account make nothing", async () => {
    await moto.reset();
    const policies = mkdtempSync(join(tmpdir(), "algobrain-policies-"));
    cpSync("policies", policies, { recursive: true });
    const file = join(policies, "algobrain/environments/staging.yaml");
    const text = readFileSync(file, "utf8");
    expect(text).toContain(MOTO_ACCOUNT);
    writeFileSync(file, text.replace(MOTO_ACCOUNT, "210987654321"));
    try {
      const { status, err } = await bootstrap("--env", "staging", "--yes", "--policies", policies);
      expect(status).toBe(1);
      expect(err.join("\n")).toContain(`these credentials are of account ${MOTO_ACCOUNT}`);
      expect(err.join("\n")).toContain("210987654321: nothing was made");
    } finally {
      rmSync(policies, { recursive: true });
    }
    expect(await lookAtBucket()).toBeNull();
  });

  test("moto: what else stands in the policy of the bucket stays, and what else a role has been given goes", async () => {
    await moto.reset();
    expect((await bootstrap("--env", "staging", "--yes")).status).toBe(0);
    const mine = { Sid: "Mine", Effect: "Deny", Principal: "*", Action: "s3:DeleteBucket" };
    const Resource = `arn:aws:s3:::${BUCKET}`;
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: { ...mine, Resource } });
    const client = new S3Client({ ...access(), endpoint: moto.url, forcePathStyle: true });
    await client.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy }));
    await createIdentities(ground()).putInline("algobrain-staging-plan", "mine", Policy);

    const { status, out } = await bootstrap("--env", "staging", "--yes");
    expect(status).toBe(0);
    expect(out.join("\n")).toContain("take the policy mine from algobrain-staging-plan");
    const answer = await client.send(new GetBucketPolicyCommand({ Bucket: BUCKET }));
    expect(JSON.parse(answer.Policy ?? "{}").Statement).toMatchObject([
      ...[{ Sid: "Mine" }, { Sid: "OnlyByTls" }],
    ]);
    expect((await bootstrap("--env", "staging", "--yes")).out).toHaveLength(1);
  });

  test("moto: without a yes nothing is made", async () => {
    await moto.reset();
    const asked = await bootstrap("--env", "staging");
    expect(asked.status).toBe(1);
    expect(asked.err.join("\n")).toContain("nothing was made");
    expect(await lookAtBucket()).toBeNull();
  });

  const lookAtBucket = () => createStateBucket(access()).look(BUCKET, new AbortController().signal);

  const access = () => ({
    ...{ region: MOTO_REGION, endpointUrl: moto.url },
    credentials: { accessKeyId: "testing", secretAccessKey: "testing" },
  });
  const ground = () =>
    groundOf({
      ...{
        access: access(),
        clock: systemClock,
        onCall: () => {},
        signal: new AbortController().signal,
      },
      place: () => {
        throw new Error("nobody asks");
      },
    });

  async function bootstrap(...words: string[]) {
    const out: string[] = [];
    const err: string[] = [];
    process.env.AWS_ACCESS_KEY_ID = "testing";
    process.env.AWS_SECRET_ACCESS_KEY = "testing";
    const root = process.cwd();
    const io: CommandIo = {
      ...{ out: (line) => out.push(line), err: (line) => err.push(line), progress: () => {} },
      env: { AWS_ENDPOINT_URL: moto.url, PATH: process.env.PATH },
      ...{ packageRoot: root, cwd: root, actor: "cli:test", terminal: null },
    };
    const status = await bootstrapCommand.run(words, io);
    return { status, out, err };
  }
});
