/** `infra seal`: a saved plan, bound to all that it was made of. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../base/clock.js";
import type { Seal } from "../../review/infra/seal.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { verdictOf } from "./review.js";
import { lookAtFolder, SEAL_FILE, SEAL_OPTIONS, type SealedFolder } from "./sealed-folder.js";

/** Exits with 1, and writes no seal, when the budgets stop it. */
export async function runSeal(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, SEAL_OPTIONS);
  const looked = await lookAtFolder(values, io);
  if (looked === null) return EXIT_FAILED;
  const isRunning = looked.facts.imageTag === looked.plan.imageTag;
  if (!isRunning) {
    const { stack, imageTag } = looked.facts;
    io.err(
      `${stack}: planned with the image ${looked.plan.imageTag}, expected the one that runs (TF_VAR_image_tag): found ${imageTag ?? "none"}; plan again`,
    );
    return EXIT_FAILED;
  }
  const now = systemClock.now();
  const { state, findings } = verdictOf(looked.plan, looked.policy, now);
  for (const { rule, text } of findings) io.out(`  ${rule}: ${text}`);
  if (state === "stop") {
    io.err(`${looked.facts.stack}: stopped, so there is nothing to seal`);
    return EXIT_FAILED;
  }
  await writeSeal(looked, { verdict: state, purpose: "apply", madeAt: now.toISOString() }, io);
  return EXIT_OK;
}

export async function writeSeal(
  { folder, facts }: SealedFolder,
  judged: Pick<Seal, "verdict" | "purpose" | "madeAt">,
  io: CommandIo,
): Promise<void> {
  const seal: Seal = { version: 1, ...facts, ...judged };
  await writeFile(join(folder, SEAL_FILE), `${JSON.stringify(seal, null, 2)}\n`);
  const { stack, verdict, commit, stateSerial } = seal;
  io.out(`${stack}: ${verdict}, sealed to commit ${commit.slice(0, 12)} and state ${stateSerial}`);
}
