import { describe, expect, test } from "vitest";
import type { RunApi, SeenRun } from "../../src/adapter/run-api.js";
import type { Clock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import { followRun } from "../../src/cli/infra/deploy.js";

const WISH = { runbook: "deploy-services", params: {}, reason: "test", key: "one" };
const seen = (status: string, ...steps: string[]): SeenRun => ({
  ...{ id: "run-7", status, outcome: null, waitingFor: null, steps },
});
const away = () => fault.transient("RUN_API_UNREACHABLE", "nobody answers");

/** A clock that only sleeping moves. */
function sleepingClock(): Clock {
  let nowMs = 0;
  return {
    now: () => new Date(nowMs),
    sleep: async (ms) => {
      nowMs += ms;
    },
  };
}

function scripted(answers: readonly (SeenRun | Error)[]) {
  const calls: string[] = [];
  let at = 0;
  const next = async (call: string): Promise<SeenRun> => {
    calls.push(call);
    const answer = answers[Math.min(at++, answers.length - 1)]!;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const api: RunApi = {
    start: ({ key }) => next(`start ${key}`),
    read: (id) => next(`read ${id}`),
  };
  return { api, calls };
}

async function follow(answers: readonly (SeenRun | Error)[]) {
  const { api, calls } = scripted(answers);
  const said: string[] = [];
  const options = { clock: sleepingClock(), say: (line: string) => said.push(line) };
  const ended = await followRun(api, WISH, options);
  return { ended, calls, said };
}

describe("a deployment that is followed", () => {
  test("is asked for once, and told step by step to its end", async () => {
    const { ended, calls, said } = await follow([
      seen("queued"),
      seen("running", "pause: succeeded"),
      seen("running", "pause: succeeded", "api: running"),
      seen("succeeded", "pause: succeeded", "api: succeeded"),
    ]);
    expect(ended.status).toBe("succeeded");
    expect(calls).toEqual(["start one", "read run-7", "read run-7", "read run-7"]);
    expect(said).toEqual(["  pause: succeeded", "  api: running", "  api: succeeded"]);
  });

  test("outlives the API that it replaces: a lost answer is asked for again by the same key", async () => {
    const { ended, calls } = await follow([
      away(),
      seen("running"),
      away(),
      away(),
      seen("failed"),
    ]);
    expect(ended.status).toBe("failed");
    expect(calls.slice(0, 2)).toEqual(["start one", "start one"]);
  });

  test("gives up when nobody answers for too long, and when it never ends", async () => {
    await expect(follow([away()])).rejects.toMatchObject({ code: "RUN_API_UNREACHABLE" });
    await expect(follow([seen("running")])).rejects.toMatchObject({ code: "DEPLOYMENT_NOT_ENDED" });
  });

  test("a refusal is an end, not a reason to ask again", async () => {
    const refusal = fault.refused("RUN_API_REFUSED", "another run holds these services");
    await expect(follow([refusal])).rejects.toBe(refusal);
  });
});
