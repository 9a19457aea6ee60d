/**
 * `infra deploy`: asks a running service to deploy one commit, and follows it to its end. The work is the executor's, with
 * its rights, its audit and its way back; whoever asks needs an operator's token and nothing of the cloud.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createRunApi, type RunApi, type SeenRun } from "../../adapter/run-api.js";
import { type Clock, systemClock } from "../../base/clock.js";
import { HOUR_MS, MINUTE_MS } from "../../base/duration.js";
import { Fault, fault } from "../../base/fault.js";
import { isWholeCommit } from "../../review/infra/deploy-gate.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";

const LOOK_EVERY_MS = 5_000;
/** The API itself is deployed meanwhile: it is away for as long as new tasks take to be healthy. */
const AWAY_MAX_MS = 10 * MINUTE_MS;
/** A run ends by itself before; what waits for people may take longer than that. */
const WHOLE_MAX_MS = 80 * MINUTE_MS;
const RUNNING: readonly string[] = ["queued", "running"];

/** Exits with 0 only when the deployment succeeded. */
export async function runDeploy(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, {
    env: { type: "string" },
    tag: { type: "string" },
    url: { type: "string" },
    reason: { type: "string", default: "deployment" },
    "token-file": { type: "string" },
  });
  const { env, tag, url, reason } = values;
  const file = values["token-file"];
  if (env === undefined || tag === undefined || url === undefined || file === undefined)
    throw new UsageError("--env, --tag, --url and --token-file are needed");
  if (!isWholeCommit(tag))
    throw new UsageError(`--tag: found "${tag.slice(0, 60)}", expected 40 hexadecimal digits`);
  const token = (await readFile(resolve(io.cwd, file), "utf8")).trim();
  const api = createRunApi({ url: readAddress(url), token });
  const wish = { runbook: "deploy-services", params: { env, tag }, reason, key: randomUUID() };
  const ended = await followRun(api, wish, { clock: systemClock, say: (line) => io.out(line) });
  io.out(`${ended.id}: ${ended.status}${ended.outcome === null ? "" : `: ${ended.outcome}`}`);
  return ended.status === "succeeded" ? EXIT_OK : EXIT_FAILED;
}

function readAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  // A token goes there: never in clear text over a network, except to this machine.
  const isSafe = url?.protocol === "https:" || url?.hostname === "127.0.0.1";
  if (url === null || !isSafe || url.username !== "")
    throw new UsageError("--url: expected an address such as https://algobrain.example.com");
  return url.href.replace(/\/+$/, "");
}

export interface Following {
  readonly clock: Clock;
  readonly say: (line: string) => void;
}

/** Asked for once, however often the answer is lost. Throws a transient Fault when it does not end in time. */
export async function followRun(
  api: RunApi,
  wish: Parameters<RunApi["start"]>[0],
  { clock, say }: Following,
): Promise<SeenRun> {
  const signal = AbortSignal.timeout(WHOLE_MAX_MS + HOUR_MS);
  const startedMs = clock.now().getTime();
  let said: readonly string[] = [];
  let answeredMs = startedMs;
  let seen: SeenRun | null = null;
  while (clock.now().getTime() - startedMs < WHOLE_MAX_MS) {
    try {
      seen = seen === null ? await api.start(wish, signal) : await api.read(seen.id, signal);
      answeredMs = clock.now().getTime();
      const lines = linesOf(seen);
      for (const line of lines.filter((one) => !said.includes(one))) say(line);
      said = lines;
      if (!RUNNING.includes(seen.status)) return seen;
    } catch (error) {
      if (!isPassing(error) || clock.now().getTime() - answeredMs > AWAY_MAX_MS) throw error;
      say(`no answer yet: ${error.message}`);
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
  throw fault.transient("DEPLOYMENT_NOT_ENDED", `${seen?.id ?? "the run"} has not ended in time`, {
    hint: "it goes on without this command: look at it with algobrain runs show",
  });
}

function isPassing(error: unknown): error is Fault {
  return error instanceof Fault && error.kind === "transient";
}

function linesOf({ id, waitingFor, steps }: SeenRun): string[] {
  const waits = waitingFor === null ? [] : [`${id} waits for ${waitingFor}`];
  return [...waits, ...steps.map((step) => `  ${step}`)];
}
