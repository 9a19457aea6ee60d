/** The services that read a secret: they read it when their tasks begin, so a new value is read by new tasks only. */
import { MINUTE_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { ActContext, PlannedContext, Verdict } from "../define.js";
import { patiently } from "./patient.js";
import { expectStable, judgeService } from "./wait.js";

const NOTE = "note which tasks its readers run";
const SETTLE_WITHIN_MS = 12 * MINUTE_MS;
/** Locks of all that may read a secret: while one of them is deployed or scaled, nothing is rotated. */
const SERVICES = ["api", "executor", "orchestrator", "workers"];

/** Of the secret itself, and of the services. One rotation at a time, and no deployment meanwhile. */
export function rotationLocks(secret: string): string[] {
  return [`secret-${secret}`, ...SERVICES.map((name) => `service-${name}`)];
}

export const ROTATION_TARGETS_MAX = 1 + SERVICES.length;

type Readers = (context: PlannedContext<unknown>) => readonly string[];

/**
 * Two steps: first which deployments there are, then new ones, one service after the other. A restart that was cut
 * short goes on where it was: what has another deployment than noted has been restarted.
 */
export function restarting(readersOf: Readers) {
  return [
    {
      name: NOTE,
      repeat: "safe" as const,
      run: async (context: ActContext<unknown>) => {
        const noted: [string, string][] = [];
        for (const name of readersOf(context))
          noted.push([name, await deploymentOf(context, name)]);
        const names = noted.map(([name]) => name).join(", ");
        return { text: names === "" ? "nothing reads it" : `${names} read it`, value: noted };
      },
      undo: { never: "it only looked" },
    },
    {
      name: "restart its readers, one after the other",
      repeat: "safe" as const,
      run: async (context: ActContext<unknown>): Promise<string> => {
        const said: string[] = [];
        for (const [name, before] of notedIn(context)) {
          await patiently(context, () => restartUnlessDone(context, name, before));
          said.push(await expectStable(context, name, { withinMs: SETTLE_WITHIN_MS }));
        }
        return said.join("\n") || "nothing reads it";
      },
      undo: { never: "they are restarted once more when the value of before is back" },
    },
  ];
}

/** An answer that was lost is no reason for a second restart: the deployment tells. */
async function restartUnlessDone(
  context: ActContext<unknown>,
  name: string,
  before: string,
): Promise<void> {
  if ((await deploymentOf(context, name)) === before)
    await context.aws.updateService({ service: name, forceNew: true });
}

/** For the way back: those that have been restarted get new tasks once more; names of them. It waits for none. */
export async function restartChanged(context: ActContext<unknown>): Promise<readonly string[]> {
  const restarted: string[] = [];
  for (const [name, before] of notedIn(context)) {
    if ((await deploymentOf(context, name)) === before) continue;
    await context.aws.updateService({ service: name, forceNew: true });
    restarted.push(name);
  }
  return restarted;
}

/** Whether all of them run only tasks that began since they were noted. */
export async function judgeReaders(context: PlannedContext<unknown>): Promise<Verdict> {
  const texts: string[] = [];
  for (const [name, before] of notedIn(context)) {
    const service = await context.aws.service(name);
    const { state, text } = judgeService(service);
    texts.push(text);
    if (primaryOf(service.deployments) === before)
      return { state: "failed", text: `${name} was not restarted: ${text}` };
    if (state !== "stable") return { state: state === "late" ? "waiting" : "failed", text };
  }
  return { state: "passed", text: texts.join(", ") || "nothing reads it" };
}

/** Names with deployments, in the order of the restart: as pairs, since the database orders the keys of an object anew. */
function notedIn({ resultOf }: Pick<PlannedContext<unknown>, "resultOf">): [string, string][] {
  return (resultOf(NOTE) ?? []) as [string, string][];
}

async function deploymentOf(
  { aws }: Pick<PlannedContext<unknown>, "aws">,
  name: string,
): Promise<string> {
  const id = primaryOf((await aws.service(name)).deployments);
  if (id !== "") return id;
  throw fault.transient("SERVICE_WITHOUT_DEPLOYMENT", `${name} has no deployment just now`);
}

function primaryOf(deployments: readonly { readonly id: string; readonly status: string }[]) {
  return deployments.find(({ status }) => status === "PRIMARY")?.id ?? "";
}
