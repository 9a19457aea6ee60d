/** What an apply that was cut off has left, as far as it can be told without Terraform. */
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findOrphans, readApplyLog } from "../../src/adapter/apply-log.js";
import type { Terraform } from "../../src/adapter/terraform.js";
import { readLock } from "../../src/adapter/terraform-state.js";
import { fault } from "../../src/base/fault.js";
import { describeLock, HOLDER_MAX_MS, whyAlive } from "../../src/cli/infra/state-lock.js";
import { existingAlready } from "../../src/cli/infra/terraform-complaint.js";
import { storeState } from "../../src/cli/infra/unstored-state.js";

/** As Terraform 1.11 says it of a lock file in S3. */
const LOCKED = `Error: Error acquiring the state lock

Error message: operation error S3: PutObject, https response error
StatusCode: 412, api error PreconditionFailed: At least one of the pre-conditions you
specified did not hold
Lock Info:
  ID:        605e5f89-2448-eea5-035e-61586544fc16
  Path:      stat-bucket/a/terraform.tfstate
  Operation: OperationTypeApply
  Who:       runner@machine
  Version:   1.11.4
  Created:   2026-11-22 20:29:36.516770618 +0000 UTC
  Info:      
`;

function line(type: string, address: string, more: Readonly<Record<string, string>> = {}): string {
  const resource = { addr: address, resource_type: address.split(".")[0] };
  return JSON.stringify({ type, hook: { resource, action: "create", ...more } });
}

describe("the log of an apply", () => {
  const text = [
    line("apply_start", "aws_vpc.main"),
    line("apply_complete", "aws_vpc.main", { id_key: "id", id_value: "vpc-1" }),
    line("apply_start", "aws_subnet.a"),
    line("apply_complete", "aws_kms_key.key", { id_value: "a secret text" }),
    line("apply_complete", "aws_eip.nat", { action: "delete" }),
    "no message at all",
    line("apply_start", "aws_lb.cut-off").slice(0, -9),
  ].join("\n");

  test("names what was made and what was begun and is not in the state, with ids alone", () => {
    const orphans = findOrphans(readApplyLog(text).steps, []);
    expect(orphans).toEqual([
      { address: "aws_vpc.main", type: "aws_vpc", id: "vpc-1", isMade: true },
      { address: "aws_subnet.a", type: "aws_subnet", id: null, isMade: false },
      { address: "aws_kms_key.key", type: "aws_kms_key", id: null, isMade: true },
    ]);
    const kept = ["aws_vpc.main", "aws_subnet.a", "aws_kms_key.key"];
    expect(findOrphans(readApplyLog(text).steps, kept)).toEqual([]);
  });
});

describe("a lock", () => {
  const lock = readLock(LOCKED)!;
  const place = { env: "staging", stack: "network", folder: tmpdir() };

  test("is told with its holder and its age", () => {
    expect(describeLock(lock, new Date("2026-11-22T20:39:36Z"))).toBe(
      "the state is locked by runner@machine (apply) since 2026-11-22T20:29:36.000Z, 10m: lock 605e5f89-2448-eea5-035e-61586544fc16",
    );
    expect(readLock("Error: Something else\n  ID: 5")).toBeNull();
  });

  test("is freed when no apply can hold it any more, or when a person says how they know", () => {
    const [before, after] = [HOLDER_MAX_MS - 1, HOLDER_MAX_MS].map(
      (ms) => new Date(lock.created.getTime() + ms),
    );
    const why = (now: Date, gone?: string) => whyAlive(lock, place, { now, gone });
    expect(why(before!)).toContain("may be alive until 2026-11-22T21:35:36.000Z");
    expect(why(before!, "run 12 was cancelled")).toBeNull();
    expect(why(after!)).toBeNull();
  });
});

describe("a thing that is there already", () => {
  test.each([
    ["EntityAlreadyExists: Role with name x already exists.", ["aws_iam_role.api"]],
    ["BucketAlreadyOwnedByYou: it is yours", ["aws_iam_role.api"]],
    ["InvalidGroup.Duplicate: The security group 'x'", ["aws_iam_role.api"]],
    ["Creation of service was not idempotent.", ["aws_iam_role.api"]],
    ["AccessDenied: not authorized", []],
  ])("is known by %s", (said, expected) => {
    const other = "Error: Unsupported attribute\n  with aws_lb.balancer,\n";
    const message = `${other}Error: creating it: ${said}\n\n  with aws_iam_role.api,\n`;
    expect(existingAlready(message)).toEqual(expected);
  });
});

describe("a state that could not be stored", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "unstored-"));
    await writeFile(join(folder, "errored.tfstate"), "{}", { mode: 0o644 });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const terraform = (failures: number): Terraform => {
    let left = failures;
    return {
      ...({} as Terraform),
      pushState: async () => {
        left -= 1;
        if (left >= 0) throw fault.data("TERRAFORM_FAILED", "Error: AccessDenied");
      },
    };
  };

  test("is tried again, and gone when it is where it belongs", async () => {
    expect(await storeState(terraform(1), folder, [0, 0])).toEqual([
      "terraform could not store its state; it is stored now",
    ]);
    expect(await storeState(terraform(0), folder, [0])).toEqual([]);
  });

  test("is closed to others and told with the way back, when it stays", async () => {
    const said = await storeState(terraform(9), folder, [0, 0]);
    expect(said.join("\n")).toContain("THE STATE IS NOT STORED (Error: AccessDenied)");
    expect(said.join("\n")).toContain("state push errored.tfstate");
    expect((await stat(join(folder, "errored.tfstate"))).mode & 0o777).toBe(0o600);
  });
});
