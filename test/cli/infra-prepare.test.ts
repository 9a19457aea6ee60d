/** GIVEN a stack of services that is to be applied, THEN what it needs is made or named before (HB-aws-24, X-33). */
import { beforeEach, expect, test } from "vitest";
import { SecretText } from "../../src/base/secret-text.js";
import { prepareServices } from "../../src/cli/infra/prepare.js";
import type { SecretUse } from "../../src/policy/secret-uses.js";
import { awsEstate } from "../../src/runbook/aws-place.js";
import type { TaskView } from "../../src/runbook/aws-port.js";
import { repositoryPolicy } from "../support/repository-policy.js";

const OURS: readonly SecretUse[] = [
  { name: "database-url", variable: "DATABASE_URL", services: ["api"], made: "address" },
  { name: "jwt-secret", variable: "JWT_SECRET", services: ["api"], made: "jwt" },
];
const THEIRS: SecretUse = { name: "github-token", variable: "GITHUB_TOKEN", services: ["workers"] };
const USES = [...OURS, THEIRS];
const place = awsEstate(await repositoryPolicy("production"), {
  queries: {},
  distributionId: null,
});

let filled: Set<string>;
let runs: number;
/** What ECS says of the task, look by look. */
let looks: (Pick<TaskView, "status" | "exitCode" | "stoppedReason"> | null)[];
let out: string[];
let err: string[];
let nowMs: number;
beforeEach(() => {
  [filled, runs, out, err, nowMs] = [new Set(), 0, [], [], 0];
  looks = [null, seen("PENDING"), seen("STOPPED", 0)];
});

function seen(status: string, exitCode: number | null = null, stoppedReason: string | null = null) {
  return { status, exitCode, stoppedReason };
}

function prepare() {
  return prepareServices(
    {
      place,
      secrets: {
        hasValue: async (name) => filled.has(name),
        putFirst: async () => expect.unreachable("its values are made in the task alone"),
        read: async () => new SecretText(expect.unreachable("no value leaves AWS")),
      },
      run: async () => {
        runs += 1;
        for (const { name } of OURS) filled.add(name);
        return "task-1";
      },
      task: async () => {
        const look = looks.length > 1 ? looks.shift()! : looks[0]!;
        if (look === null) return null;
        const rest = { health: null, startedAt: null, taskDefinition: "", group: "" };
        return { id: "task-1", ...look, ...rest };
      },
    },
    USES,
    {
      clock: {
        now: () => new Date(nowMs),
        sleep: async (ms) => {
          nowMs += ms;
        },
      },
      io: { out: (line) => out.push(line), err: (line) => err.push(line) },
    },
  );
}

test("the task is run once, and waited for", async () => {
  filled.add(THEIRS.name);
  expect(await prepare()).toBe(0);
  expect([runs, looks.length]).toEqual([1, 1]);
  expect(out.join("\n")).toContain("all 3 secrets of the services have a value");
});

test("where everything has a value nothing is run, and nothing is asked of the database", async () => {
  for (const { name } of USES) filled.add(name);
  expect(await prepare()).toBe(0);
  expect(runs).toBe(0);
});

test("a token of somebody else is named with the command that takes it past every argument list (X-31)", async () => {
  expect(await prepare()).toBe(1);
  expect(err.join("\n")).toContain("algobrain/prod/github-token: found no value");
  expect(err.join("\n")).toContain("--secret-string file:///dev/stdin");
  expect(err.join("\n")).not.toContain("jwt-secret");
});

test.each([
  [seen("STOPPED", 1, "Essential container in task exited"), "ended with 1"],
  [seen("STOPPED", null, "CannotPullContainerError: not found"), "CannotPullContainerError"],
  [seen("RUNNING"), "is RUNNING after 15 min"],
])(
  "a task that does not end well is told with its reason, and where its lines are",
  async (end, words) => {
    looks = [end];
    await expect(prepare()).rejects.toMatchObject({
      code: "PREPARATION_FAILED",
      message: expect.stringContaining(words),
      hint: expect.stringContaining("/ecs/algobrain-migrate"),
    });
  },
);
