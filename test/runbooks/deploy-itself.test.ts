/** A deployment that brings another version of its own runbook: what the new executor may do of it, and what it says (0067). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import deployServices from "../../runbooks/deploy-services.js";
import type { Runbook } from "../../src/runbook/define.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import { listPauses } from "../../src/store/pauses.js";
import type { AwsWorld } from "../support/aws-world.js";
import { TAG_BEFORE } from "../support/aws-world-services.js";
import { makeLivingAws } from "../support/living-aws.js";
import { type Handover, handOver, openGround, type RunbookGround } from "../support/runbook.js";
import { makeRegistry, makeRunbook } from "../support/runbook-world.js";

const TAG = "b".repeat(40);
const SERVICES = ["orchestrator", "workers", "api", "executor"];
const COUNT_ERRORS = 'filter level = "error" or level = "fatal" | stats count(*) as errors';
const FIXED = makeRunbook("fix", {
  steps: [
    { name: "change", repeat: "safe", run: async () => "changed" },
    { name: "look", repeat: "safe", looks: true, run: async () => "well" },
  ],
});

let ground: RunbookGround;
let world: AwsWorld;
beforeAll(async () => {
  ground = await openGround(makeRegistry(deployServices, FIXED));
  await ground.db.query(
    "INSERT INTO workers (id, kinds, last_heartbeat) VALUES ('general-worker-1', '{index}', now() + interval '1 hour')",
  );
});
afterAll(() => ground.drop());
beforeEach(async () => {
  await ground.db.query("DELETE FROM control.queue_pause");
  world = makeLivingAws();
  for (const name of SERVICES)
    for (const tag of [TAG_BEFORE, TAG])
      world.images.set(`algobrain-${name}:${tag}`, `sha256:${name}-${tag.slice(0, 4)}`);
});

/** What the new executor has in place of a runbook: another file, and what of it differs. */
function successor(runbook: Runbook, more: Partial<Runbook> = {}): RunbookRegistry {
  return new RunbookRegistry([{ runbook: { ...runbook, ...more }, contentHash: "another file" }]);
}

const tagOf = (name: string) =>
  world.services.revisionOf(world.services.find(name).taskDefinition).imageTag;
const updates = () =>
  world.calls.filter(({ operation }) => operation === "updateService").map(({ target }) => target);

function deploy(more: Partial<Handover> = {}, registry = ground.registry) {
  const { aws } = world;
  return handOver({ ...ground, registry }, "deploy-services", {
    ...{ after: "result", step: "update executor", successors: [successor(deployServices)] },
    params: { env: "production", tag: TAG, watch: "1s" },
    other: { openAws: async () => ({ aws, close: async () => {} }) },
    ...more,
  });
}

describe("deploy-services under a new version of itself", () => {
  test("looks on to its end, and says so", async () => {
    const { run, steps } = await deploy();
    expect(run).toMatchObject({ status: "succeeded", verified: true });
    expect(run.outcome).toContain(`orchestrator, workers, api, executor run ${TAG}`);
    expect(run.outcome).toContain("the new one only looked");
    expect(updates()).toEqual(SERVICES);
    expect(steps.every(({ status }) => status === "succeeded")).toBe(true);
  });

  test("an update whose answer was lost is found by looking", async () => {
    const { run } = await deploy({ after: "effect" });
    expect(run.status).toBe("succeeded");
    expect(updates()).toEqual(SERVICES);
  });

  test("goes back when it is not well, where the way back is the one that was agreed to", async () => {
    world.logRows.set(COUNT_ERRORS, [{ errors: "21" }]);
    // It is well while the old one looks, and not after.
    const looks = deployServices.steps.map((it) =>
      it.name === "look whether it works" ? { ...it, run: async () => "well" } : it,
    );
    const well = makeRegistry({ ...deployServices, steps: looks });
    const { run } = await deploy({ step: "wait for executor" }, well);
    expect(run).toMatchObject({ status: "failed", undone: "complete" });
    expect(SERVICES.map(tagOf)).toEqual(Array(4).fill(TAG_BEFORE));
  });

  test.each<[string, Partial<Runbook>, string]>([
    [
      "another way back",
      {
        steps: deployServices.steps.map((it) =>
          it.name === "update api"
            ? { ...it, undo: { name: "go back", repeat: "safe" as const, run: async () => "back" } }
            : it,
        ),
      },
      'the way back of "update api" is another one now',
    ],
    [
      "more that it may touch",
      { touches: { ...deployServices.touches, programs: ["git"] } },
      "it may touch other things now",
    ],
  ])("with %s it takes nothing back, and says how a person does", async (_what, more, why) => {
    const verify = {
      ...deployServices.verify!,
      check: async () => ({ state: "failed", text: "not well" }) as const,
    };
    const successors = [successor(deployServices, { ...more, verify })];
    const { run } = await deploy({ successors, other: unbounded() });
    expect(run).toMatchObject({ status: "failed", verified: false, undone: null });
    expect(run.outcome).toContain("not well; NOTHING WAS TAKEN BACK");
    expect(run.outcome).toContain(why);
    expect(run.outcome).toContain("/algobrain rollback-deployment api");
    expect(SERVICES.map(tagOf)).toEqual(Array(4).fill(TAG));
  });

  test("what is left to be changed it leaves, and says what was done, what is left and what finishes it", async () => {
    const { run } = await deploy({ step: "resume the queues" });
    expect(run).toMatchObject({ status: "stalled", undone: null });
    expect(run.outcome).toMatch(
      /"update executor" would change something by code that nobody agreed to; done: .*resume the queues; left: update executor, wait for executor; finish it by asking again: \/algobrain deploy-services .*env=production tag=b{40}/,
    );
    expect(updates()).toEqual(SERVICES.slice(0, 3));
    expect(await listPauses(ground.db)).toEqual([]);
  });

  test("an update that was begun and never came to AWS is not made", async () => {
    const { run } = await deploy({ after: "intent" });
    expect(run.status).toBe("stalled");
    expect(run.outcome).toContain("begun, look at it: update executor");
    expect(updates()).toEqual(SERVICES.slice(0, 3));
  });

  test("steps under other names are another runbook", async () => {
    const steps = deployServices.steps.map((it) => ({ ...it, name: `${it.name}!` }));
    const { run } = await deploy({ successors: [successor(deployServices, { steps })] });
    expect(run.status).toBe("stalled");
    expect(run.outcome).toContain('its step 1 is no longer "snapshot the database"');
  });

  test("when the new executor dies as well and the old one is back, that ends it as if nothing had been", async () => {
    const { run } = await deploy({ successors: [successor(deployServices), ground.registry] });
    expect(run).toMatchObject({ status: "succeeded", verified: true });
    expect(run.outcome).not.toContain("has changed");
    expect(updates()).toEqual(SERVICES);
  });

  /** What it declares to touch is another matter here. */
  function unbounded() {
    const { aws } = world;
    const { db } = ground;
    return {
      openAws: async () => ({ aws, close: async () => {} }),
      openPower: async () => ({ db, secrets: [], close: async () => {} }),
    };
  }
});

describe("a step that looks", () => {
  test("is handed nothing that writes, whatever its code believes", async () => {
    const steps: Runbook["steps"] = [
      FIXED.steps[0]!,
      {
        ...FIXED.steps[1]!,
        run: async ({ runtime }) => {
          await runtime.pauseQueue({ kind: "all", reason: "by force", forMs: 60_000 });
          return "paused";
        },
      },
    ];
    const { run } = await handOver(ground, "fix", {
      ...{ after: "result", step: "change" },
      successors: [successor(FIXED, { steps })],
    });
    expect(run).toMatchObject({ status: "failed" });
    expect(run.outcome).toContain("pauseQueue is not a function");
    expect(await listPauses(ground.db)).toEqual([]);
  });

  test("is taken by a successor, and one that changes something is not", async () => {
    const given = { after: "result", step: "change" } as const;
    const looked = await handOver(ground, "fix", { ...given, successors: [successor(FIXED)] });
    expect(looked.run).toMatchObject({ status: "succeeded" });
    const steps = FIXED.steps.map(({ looks: _, ...step }) => step);
    const acting = successor(FIXED, { steps });
    const stopped = await handOver(ground, "fix", { ...given, successors: [acting] });
    expect(stopped.run).toMatchObject({ status: "stalled" });
  });
});
