/**
 * `infra prepare`: whether the services of an environment can start, and what has to be done before by this system itself.
 * It runs the task `prepare` where a secret that is ours to make has no value, and names those that only a person has.
 */
import { type Clock, systemClock } from "../../base/clock.js";
import { MINUTE_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import { openPreparation, type Preparation } from "../../main/preparation.js";
import { type SecretUse, secretsInUse } from "../../policy/secret-uses.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { openConfig } from "../settings.js";
import { POLICY_OPTIONS, policyOf } from "./policy-of.js";

const LOOK_EVERY_MS = 5_000;
/** An image of some hundred megabytes is pulled first. */
const TASK_MAX_MS = 15 * MINUTE_MS;
const WHOLE_MAX_MS = 20 * MINUTE_MS;

/** Exits with 0 only when every secret that the services read has a value. */
export async function runPrepare(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, POLICY_OPTIONS);
  const policy = await policyOf(values, io);
  if (policy === null) return EXIT_FAILED;
  const config = await openConfig(io);
  const opened = openPreparation(policy, config, AbortSignal.timeout(WHOLE_MAX_MS));
  try {
    return await prepareServices(opened, secretsInUse(policy), { clock: systemClock, io });
  } finally {
    await opened.close();
  }
}

export interface Preparing {
  readonly clock: Clock;
  readonly io: Pick<CommandIo, "out" | "err">;
}

/** Throws a refused Fault `PREPARATION_FAILED` when the task did not end well. */
export async function prepareServices(
  opened: Omit<Preparation, "close">,
  uses: readonly SecretUse[],
  { clock, io }: Preparing,
): Promise<number> {
  const ours = uses.filter(({ made }) => made !== undefined);
  if ((await emptyOf(opened, ours)).length > 0) {
    const task = await opened.run();
    io.out(`task ${task} of ${opened.place.preparationFamily} prepares`);
    await expectGoodEnd(opened, task, clock);
  }
  const empty = await emptyOf(opened, uses);
  if (empty.length === 0) {
    io.out(`all ${uses.length} secrets of the services have a value`);
    return EXIT_OK;
  }
  for (const name of empty) {
    const path = opened.place.secretOf(name);
    io.err(`${path}: found no value, expected one: services that read it cannot start`);
    io.err(
      `  aws secretsmanager put-secret-value --secret-id ${path} --secret-string file:///dev/stdin`,
    );
  }
  return EXIT_FAILED;
}

async function emptyOf(
  { secrets }: Pick<Preparation, "secrets">,
  uses: readonly SecretUse[],
): Promise<string[]> {
  const empty: string[] = [];
  for (const { name } of uses) if (!(await secrets.hasValue(name))) empty.push(name);
  return empty;
}

async function expectGoodEnd(
  { task: look, place }: Pick<Preparation, "task" | "place">,
  id: string,
  clock: Clock,
): Promise<void> {
  const deadline = clock.now().getTime() + TASK_MAX_MS;
  for (;;) {
    const seen = await look(id);
    if (seen?.status === "STOPPED") {
      if (seen.exitCode === 0) return;
      const code = seen.exitCode ?? "no exit code";
      throw failed(`task ${id} ended with ${code}: ${seen.stoppedReason ?? "it says no reason"}`);
    }
    if (clock.now().getTime() >= deadline)
      throw failed(`task ${id} is ${seen?.status ?? "not to be seen"} after 15 min`);
    await clock.sleep(LOOK_EVERY_MS);
  }

  function failed(message: string) {
    return fault.refused("PREPARATION_FAILED", message, {
      hint: `what it said is in ${place.databaseLogGroup}; an image that is not there is pushed by the workflow deploy`,
    });
  }
}
