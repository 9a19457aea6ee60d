/** The images of one commit, built once and pushed under its 40 digits (RB-04, HB-op-06, HB-cli-06…08, X-20). */
import { MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { READ_IMAGES, READ_SERVICES } from "../src/runbook/aws/permissions.js";
import { servicePlaceOf } from "../src/runbook/aws/service-place.js";
import {
  type ActContext,
  defineRunbook,
  type PlannedContext,
  type ReadContext,
  Type,
} from "../src/runbook/define.js";

type Params = { tag: string; folder: string; services: string };

const ALL = ["api", "orchestrator", "workers", "executor"] as const;
const GIT_MS = MINUTE_MS;
const BUILD_MS = 20 * MINUTE_MS;
const PUSH_MS = 10 * MINUTE_MS;
const COMPLAINT_MAX = 500;

export default defineRunbook({
  name: "build-and-push-images",
  aliases: ["build-images"],
  title: "Builds the images of one commit from a clean checkout and pushes them under its name",
  danger: "V",
  params: Type.Object(
    {
      tag: Type.String({
        pattern: "^[0-9a-f]{40}$",
        description: "the commit: all 40 hexadecimal digits, and no other name",
      }),
      folder: Type.String({
        pattern: "^/[\\w./-]{1,300}$",
        description: "a clean checkout of that commit, on the machine of the executor",
      }),
      services: Type.String({
        pattern: "^(all|[a-z]{2,30}(,[a-z]{2,30})*)$",
        default: "all",
        description: "all, or names with commas such as workers,api",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["tag", "folder", "services"],
  locks: ({ tag }) => [`images-${tag}`],
  timeoutMs: 50 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    programs: ["git", "docker"],
    // To look; the engine pushes with a login of its own.
    aws: [...READ_SERVICES, ...READ_IMAGES],
  },
  // What was pushed stays: the same commit is never built into another image.
  undoOnFailure: "asked",
  guide:
    "It needs a container engine, and its own login to the registry (a credential helper, so that no password is handed about): the workflow deploy.yml has both. Tags cannot be moved; what is in the registry already is not built again.",
  plan: async (context) => {
    const { params, aws } = context;
    const names = namesOf(context);
    const there = await Promise.all(
      names.map((name) => aws.image(servicePlaceOf(aws.place(), name).repository, params.tag)),
    );
    const missing = names.filter((_, i) => !there[i]);
    return {
      text: names
        .map((name, i) => `${name}: ${there[i]?.digest ?? "not in the registry"}`)
        .join("\n"),
      changes: missing.map((name) => `build and push ${name} as ${params.tag}`),
    };
  },
  steps: [
    {
      name: "look at the checkout",
      repeat: "safe",
      run: async (context) => {
        const { folder, tag } = context.params;
        const git = ["git", "-C", folder];
        const head = await runWell(context, [...git, "rev-parse", "--verify", "HEAD"], GIT_MS);
        if (head !== tag)
          throw fault.refused("CHECKOUT_WRONG", `${folder} is at ${head}, not at ${tag}`, {
            hint: `git -C ${folder} checkout ${tag}`,
          });
        const changed = await runWell(context, [...git, "status", "--porcelain"], GIT_MS);
        if (changed !== "")
          throw fault.refused("CHECKOUT_NOT_CLEAN", `files in ${folder} differ from the commit`, {
            hint: "an image is called by its commit: build in a clean checkout",
          });
        return `${folder} is ${tag}, and nothing besides`;
      },
      undo: { never: "it only looked" },
    },
    imaging("api"),
    imaging("orchestrator"),
    imaging("workers"),
    imaging("executor"),
  ],
  verify: {
    withinMs: () => MINUTE_MS,
    everyMs: 5_000,
    check: async (context) => {
      const names = namesOf(context);
      const found = await Promise.all(names.map((name) => digestOf(context, name)));
      const missing = names.filter((_, i) => found[i] === null);
      return missing.length > 0
        ? { state: "waiting", text: `not in the registry: ${missing.join(", ")}` }
        : { state: "passed", text: names.map((name, i) => `${name} ${found[i]}`).join(", ") };
    },
  },
  next: ({ tag }) => `/algobrain deploy-services ENVIRONMENT ${tag}`,
});

/** Throws a refused Fault `SERVICE_UNKNOWN` that names those there are. */
function namesOf({ aws, params }: Pick<ReadContext<Params>, "aws" | "params">): readonly string[] {
  const names: readonly string[] = params.services === "all" ? ALL : params.services.split(",");
  for (const name of names) servicePlaceOf(aws.place(), name);
  return names;
}

async function digestOf(
  { aws, params }: Pick<ReadContext<Params>, "aws" | "params">,
  name: string,
): Promise<string | null> {
  const { repository } = servicePlaceOf(aws.place(), name);
  return (await aws.image(repository, params.tag))?.digest ?? null;
}

function imaging(name: string) {
  return {
    name: `image of ${name}`,
    repeat: {
      check: async (context: PlannedContext<Params>) =>
        (await digestOf(context, name)) === null ? ("not-done" as const) : ("done" as const),
    },
    run: async (context: ActContext<Params>): Promise<string> => {
      const { aws, params } = context;
      if (!namesOf(context).includes(name)) return "not asked for";
      const there = await digestOf(context, name);
      if (there !== null) return `it is there already: ${there}`;
      const { image } = await aws.service(name);
      const host = image.slice(0, image.indexOf("/"));
      const { repository } = servicePlaceOf(aws.place(), name);
      const full = `${host}/${repository}:${params.tag}`;
      const { folder, tag } = params;
      const file = `${folder}/infra/docker/Dockerfile`;
      const what = ["--file", file, "--target", name, "--build-arg", `COMMIT=${tag}`];
      await runWell(context, ["docker", "build", ...what, "--tag", full, folder], BUILD_MS);
      await runWell(context, ["docker", "push", full], PUSH_MS);
      return `${full} is pushed`;
    },
    undo: { never: "an image that nothing runs hurts nobody, and its tag is never moved" },
  };
}

/** Its output. Throws a transient Fault `PROGRAM_FAILED` with the end of its complaint. */
async function runWell(
  { shell }: ActContext<Params>,
  argv: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const { exitCode, endedBy, stdout, stderr } = await shell.run(argv, { timeoutMs });
  if (exitCode === 0) return stdout.trim();
  throw fault.transient(
    "PROGRAM_FAILED",
    `${argv[0]} ended with ${exitCode ?? endedBy}: ${stderr.trim().slice(-COMPLAINT_MAX)}`,
  );
}
