/** Drift that somebody stands for, drift that nobody does, and checks that have not been made: never mixed up. */
import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/base/json.js";
import { type DriftReport, judgeDrift, worstDrift } from "../../../src/review/infra/drift.js";
import { stateOfAll, writeDriftIssue } from "../../../src/review/infra/drift-issue.js";
import {
  type KnownDrift,
  knownFromHealth,
  knownFromTemporary,
} from "../../../src/review/infra/known-drift.js";
import { changeJson, madePlan, plan } from "../../support/plans.js";

const NOW = new Date("2026-11-22T12:00:00Z");
const TARGET = "aws_appautoscaling_target.workers-scaling-target";

function known(overrides: Partial<KnownDrift> = {}): KnownDrift {
  return {
    ...{ address: TARGET, attribute: "max_capacity", kind: "temporary", owner: "ann" },
    ...{ reason: "INC-7", expires: new Date("2026-11-22T14:00:00Z") },
    ...overrides,
  };
}

function found(report: DriftReport) {
  if (report.state === "failed") throw new Error(report.why);
  const names = (entries: readonly { readonly address: string }[]) =>
    entries.map(({ address }) => address);
  const { state, unknown, expired, ignored } = report;
  return {
    state,
    unknown: names(unknown),
    expired: names(expired),
    known: names(report.known),
    ignored,
  };
}

/** Someone has set it to 200; the policies say 120. */
const scaled = (more: JsonObject = {}) =>
  madePlan(
    [changeJson(TARGET, { before: { max_capacity: 200, ...more }, after: { max_capacity: 120 } })],
    {
      resource_drift: [
        changeJson(TARGET, { before: { max_capacity: 120 }, after: { max_capacity: 200 } }),
      ],
    },
  );

describe("is", () => {
  test("clean when nothing would change", () => {
    expect(found(judgeDrift(plan("nothing"), [], [], NOW)).state).toBe("clean");
  });

  test("drifted, with what was changed and what is gone", () => {
    const report = judgeDrift(plan("drifted"), [], [], NOW);
    expect(found(report)).toMatchObject({ state: "drifted", known: [], expired: [] });
    expect(
      report.state !== "failed" && report.unknown.map(({ address, kind }) => [address, kind]),
    ).toEqual([
      [TARGET, "changed"],
      ["aws_cloudwatch_log_group.workers-logs", "lost"],
    ]);
  });

  test("only known while somebody stands for every attribute", () => {
    expect(found(judgeDrift(scaled(), [], [known()], NOW))).toMatchObject({
      state: "only-known",
      known: [TARGET],
    });
    const second = judgeDrift(scaled({ min_capacity: 1 }), [], [known()], NOW);
    expect(found(second)).toMatchObject({ state: "drifted", unknown: [TARGET] });
  });

  test.each([
    ["of another resource", { address: "aws_appautoscaling_target.api-scaling-target" }],
    ["of another attribute", { attribute: "min_capacity" }],
    ["of an attribute whose name begins so", { attribute: "max" }],
  ])("drifted when what is known is %s", (_what, overrides) => {
    expect(found(judgeDrift(scaled(), [], [known(overrides)], NOW)).state).toBe("drifted");
  });

  test("drifted again from the moment at which its time is over", () => {
    const until = (expires: Date) => found(judgeDrift(scaled(), [], [known({ expires })], NOW));
    expect(until(new Date(NOW.getTime() + 1)).state).toBe("only-known");
    expect(until(NOW)).toMatchObject({ state: "drifted", expired: [TARGET] });
  });

  test("drifted when something known is gone: nobody stands for that", () => {
    const gone = madePlan([
      changeJson(TARGET, { actions: ["create"], before: null, after: { max_capacity: 120 } }),
    ]);
    expect(found(judgeDrift(gone, [], [known({ attribute: "" })], NOW)).unknown).toEqual([TARGET]);
  });

  test("failed, and never clean, when the plan is not whole", () => {
    expect(judgeDrift(madePlan([], { errored: true }), [], [], NOW).state).toBe("failed");
    expect(judgeDrift(madePlan([], { complete: false }), [], [], NOW).state).toBe("failed");
    const clean = judgeDrift(plan("nothing"), [], [], NOW);
    const failed = { state: "failed", why: "x" } as const;
    expect(worstDrift([clean, failed])).toBe("failed");
    expect(worstDrift([])).toBe("failed");
  });

  test("clean when it was changed in what nothing describes, and that is said", () => {
    const drift = [
      changeJson("aws_ecs_service.api-service", {
        before: { desired_count: 2 },
        after: { desired_count: 5 },
      }),
    ];
    expect(found(judgeDrift(madePlan([], { resource_drift: drift }), [], [], NOW))).toMatchObject({
      ...{ state: "clean", ignored: ["aws_ecs_service.api-service"] },
    });
  });
});

describe("a deployment", () => {
  const arn = (revision: string) =>
    `arn:aws:ecs:us-east-1:123456789012:task-definition/${revision}`;
  const runs = (before: string, after: string) =>
    madePlan([
      changeJson("aws_ecs_service.api-service", {
        before: { task_definition: before },
        after: { task_definition: after },
      }),
    ]);

  test("leaves another revision of the same task: known", () => {
    const report = judgeDrift(runs(arn("algobrain-api:9"), arn("algobrain-api:4")), [], [], NOW);
    expect(found(report)).toMatchObject({
      state: "only-known",
      known: ["aws_ecs_service.api-service"],
    });
  });

  /** As Terraform plans it with the commit that runs: its own revision anew, and the service on that. */
  const [OLD, RUNNING] = ["1".repeat(40), "2".repeat(40)];
  const container = (tag: string, more: JsonObject = {}) =>
    JSON.stringify([
      {
        ...{ name: "api", image: `registry/algobrain-api:${tag}`, cpu: 1 },
        environment: [{ name: "ALGOBRAIN_COMMIT", value: tag }],
        ...more,
      },
    ]);
  interface Deployed {
    readonly tag?: string;
    readonly runs?: string;
    readonly old?: JsonObject;
    readonly replacePaths?: Json;
    readonly more?: JsonObject;
  }
  const deployed = ({ tag = RUNNING, runs: what = "algobrain-api:9", ...made }: Deployed = {}) =>
    madePlan(
      [
        {
          ...changeJson("aws_ecs_task_definition.api-task", {
            actions: ["delete", "create"],
            before: {
              ...{ arn: arn("algobrain-api:4"), revision: 4, cpu: "512" },
              volume: [{ name: "home", configure_at_launch: false }],
              container_definitions: container(OLD, made.old),
            },
            after: {
              ...{ cpu: "512", container_definitions: container(tag) },
              ...{ volume: [{ name: "home" }], ...made.more },
            },
            unknown: { arn: true, revision: true, volume: [{ configure_at_launch: true }] },
            replacePaths: made.replacePaths ?? [["container_definitions"]],
          }),
          action_reason: "replace_because_cannot_update",
        },
        changeJson("aws_ecs_service.api-service", {
          before: { task_definition: arn(what) },
          unknown: { task_definition: true },
        }),
      ],
      { variables: { image_tag: { value: RUNNING } } },
    );

  test("is known while Terraform has yet to make the revision for the commit that runs", () => {
    expect(found(judgeDrift(deployed(), [], [], NOW))).toMatchObject({
      ...{ state: "only-known", unknown: [] },
      known: ["aws_ecs_task_definition.api-task", "aws_ecs_service.api-service"],
    });
  });

  test.each<[string, Deployed]>([
    ["an image that does not run", { tag: "3".repeat(40) }],
    ["another variable", { old: { environment: [{ name: "LOG_LEVEL", value: "debug" }] } }],
    ["another command", { old: { command: ["sh"] } }],
    ["another repository", { old: { image: `elsewhere/algobrain-api:${OLD}` } }],
    ["another size", { more: { cpu: "1024" }, replacePaths: [["cpu"], ["container_definitions"]] }],
    ["another role", { more: { task_role_arn: "arn:aws:iam::123456789012:role/admin" } }],
  ])("does not stand for %s", (_what, made) => {
    expect(found(judgeDrift(deployed(made), [], [], NOW))).toMatchObject({
      ...{ state: "drifted", known: [] },
    });
  });

  test("of another task is none: the service alone is news", () => {
    const report = judgeDrift(deployed({ runs: "algobrain-miner:1" }), [], [], NOW);
    expect(found(report).unknown).toEqual(["aws_ecs_service.api-service"]);
  });

  test.each([
    ["another task", arn("algobrain-miner:1"), arn("algobrain-api:4")],
    ["what is no task", "algobrain-api:9", arn("algobrain-api:4")],
  ])("does not leave %s", (_what, before, after) => {
    expect(found(judgeDrift(runs(before, after), [], [], NOW)).state).toBe("drifted");
  });
});

describe("the class of a drift decides what is done", () => {
  const classes = [
    {
      types: ["aws_appautoscaling_target"],
      attributes: ["min_capacity"],
      mode: "heal",
      why: "one",
    },
    {
      types: ["aws_appautoscaling_target"],
      attributes: ["max_capacity"],
      mode: "propose",
      why: "two",
    },
    { types: ["aws_appautoscaling_target"], mode: "heal", why: "three" },
  ] as const;
  const modeOf = (report: DriftReport) =>
    report.state === "failed" ? null : report.unknown[0]?.mode;

  test("the first whose attributes hold all that differs, else any of the type, else it is reported", () => {
    expect(modeOf(judgeDrift(scaled(), classes, [], NOW))).toBe("propose");
    expect(modeOf(judgeDrift(scaled({ min_capacity: 1 }), classes, [], NOW))).toBe("heal");
    expect(modeOf(judgeDrift(scaled(), [], [], NOW))).toBe("report");
  });
});

describe("what is known is asked of the runtime", () => {
  test("emergency settings from its health, and nothing from another answer", () => {
    const override = { owner: "ann", reason: "INC-7", until: "2026-11-22T14:00:00Z" };
    const health = { drift: [{ name: "a.b", value: 1, policyValue: 2, override }] };
    expect(knownFromHealth(health)).toEqual([
      {
        address: "a.b",
        attribute: "",
        kind: "override",
        owner: "ann",
        reason: "INC-7",
        expires: new Date(override.until),
      },
    ]);
    expect(knownFromHealth({ status: "ok" })).toBeNull();
  });

  const change = {
    ...{ environment: "production", target: "ecs service workers", attribute: "desired_count" },
    ...{ owner: "ann", reason: "INC-7", expires_at: "2026-11-22T14:00:00Z" },
  };

  test("temporary changes of this environment, by Terraform's names", () => {
    const answer = {
      changes: [
        change,
        { ...change, environment: "staging" },
        { ...change, target: "rds algobrain" },
      ],
    };
    expect(knownFromTemporary(answer, "production")?.map(({ address }) => address)).toEqual([
      "aws_ecs_service.workers-service",
      "rds algobrain",
    ]);
  });

  test.each([
    null,
    [],
    {},
    { changes: {} },
    { changes: [{ ...change, owner: 7 }] },
    { changes: [{ ...change, attribute: "" }] },
    { changes: ["x"] },
  ])("an answer that is not ours is none: %j", (answer) => {
    expect(knownFromTemporary(answer, "production")).toBeNull();
  });

  test("an end that cannot be read is over", () => {
    const [one] =
      knownFromTemporary({ changes: [{ ...change, expires_at: "soon" }] }, "production") ?? [];
    expect(one?.expires).toEqual(new Date(0));
  });
});

describe("the issue", () => {
  const facts = (report: DriftReport, more: object = {}) => ({
    ...{
      environment: "production",
      stacks: [{ stack: "services", report }],
      known: [],
      unasked: [],
    },
    ...more,
  });

  test("says who stands for what until when, and what nobody does", () => {
    const drifted = madePlan([
      changeJson(TARGET, { before: { max_capacity: 200 }, after: { max_capacity: 120 } }),
      changeJson("aws_lb.front", { before: { idle_timeout: 1 }, after: { idle_timeout: 60 } }),
    ]);
    const text = writeDriftIssue(
      facts(judgeDrift(drifted, [], [known()], NOW), { known: [known()] }),
    );
    expect(text).toContain("## 🔴 What runs is not what the policies say (production)");
    expect(text).toMatch(
      /Nobody stands for it[\s\S]*aws\\_lb\.front .*idle\\_timeout 1 → 60[\s\S]*Known[\s\S]*ann until 2026-11-22 14:00/,
    );
  });

  test("of class propose gives the command that keeps what runs, or says that none is known", () => {
    const classes = [
      { types: ["aws_appautoscaling_target", "aws_lb"], mode: "propose", why: "people decide" },
    ] as const;
    const text = (made: ReturnType<typeof madePlan>) =>
      writeDriftIssue(facts(judgeDrift(made, classes, [], NOW)));
    expect(text(scaled())).toContain(
      "algobrain policy change scaling.workers.max 200 --env production --reason",
    );
    const unknown = [
      scaled({ suspended: true }),
      madePlan([changeJson("aws_lb.front", { before: { a: 1 }, after: { a: 60 } })]),
      madePlan([
        changeJson(TARGET, {
          ...{ actions: ["delete", "create"], before: { max_capacity: 2 } },
          after: { max_capacity: 1 },
        }),
      ]),
    ];
    for (const made of unknown) {
      expect(text(made)).toContain("only told");
      expect(text(made)).not.toContain("policy change");
    }
  });

  test("who could not be asked keeps it from being clean", () => {
    const clean = judgeDrift(plan("nothing"), [], [], NOW);
    expect(stateOfAll(facts(clean))).toBe("clean");
    const unasked = { unasked: ["https://x/health: nobody answers"] };
    expect(stateOfAll(facts(clean, unasked))).toBe("failed");
    expect(writeDriftIssue(facts(clean, unasked))).toContain("It is not known whether");
    expect(stateOfAll(facts(judgeDrift(scaled(), [], [], NOW), unasked))).toBe("drifted");
  });

  test("of thousands stays within 60,000 characters", () => {
    const many = Array.from({ length: 1_000 }, (_, index) =>
      changeJson(`aws_lb.${"x".repeat(200)}${index}`, { before: { a: 1 }, after: { a: 2 } }),
    );
    const report = judgeDrift(madePlan(many), [], [], NOW);
    const stacks = Array.from({ length: 7 }, (_, index) => ({ stack: `s${index}`, report }));
    expect(writeDriftIssue(facts(report, { stacks })).length).toBeLessThanOrEqual(60_000);
  });
});
