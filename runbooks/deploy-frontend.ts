/** The static frontend: files first, then the pages that name them, then the CDN, and old files much later (RB-06, HB-cli-12, X-22). */
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { patiently } from "../src/runbook/aws/patient.js";
import {
  type ActContext,
  defineRunbook,
  type PlannedContext,
  type ReadContext,
  Type,
} from "../src/runbook/define.js";

type Params = { env: string; folder: string; keepDays: number };

interface Listed {
  /** Relative to the folder, as they are called in the bucket. */
  readonly files: readonly string[];
  /** Nobody's pages have named them for so many days. */
  readonly old: readonly string[];
}

const LIST = "list the files";
const FILES_MAX = 5_000;
const OBJECTS_MAX = 10_000;
/** DeleteObjects takes no more at once; the rest goes next time. */
const PRUNED_MAX = 1_000;
/** Of a file's name in a path of the bucket; what else is in a name has no business in an address. */
const KEY = /^[\w][\w./@+-]{0,500}$/;
/** Files of one deployment are put within this time. */
const ONE_DEPLOYMENT_MS = HOUR_MS;
const INVALIDATED_WITHIN_MS = 15 * MINUTE_MS;
/** Where bundlers put what they name by what is in it: `assets/app-4f3c2a1b.js`. A word alone is no such name. */
const HASHED = /^(.*\/)?assets\/.*[.-](?=[\w-]*[\dA-Z_])[\w-]{8,32}\.[a-z0-9]+$/;
const FOREVER = "public, max-age=31536000, immutable";
const ASK_AGAIN = "no-cache";

const TYPES: Readonly<Record<string, string>> = {
  ...{ html: "text/html; charset=utf-8", css: "text/css; charset=utf-8" },
  ...{ js: "text/javascript; charset=utf-8", mjs: "text/javascript; charset=utf-8" },
  ...{
    json: "application/json",
    map: "application/json",
    webmanifest: "application/manifest+json",
  },
  ...{ svg: "image/svg+xml", png: "image/png", jpg: "image/jpeg", webp: "image/webp" },
  ...{ ico: "image/x-icon", woff2: "font/woff2", txt: "text/plain; charset=utf-8" },
};

export default defineRunbook({
  name: "deploy-frontend",
  title: "Uploads the static frontend without a broken page, and prunes what is long out of use",
  danger: "V",
  params: Type.Object(
    {
      env: Type.String({
        pattern: "^[a-z]{2,20}$",
        description: "the environment that you mean: another one than this is refused",
      }),
      folder: Type.String({
        pattern: "^/[\\w./-]{1,300}$",
        description: "where the built frontend is, with its index.html",
      }),
      keepDays: Type.Integer({
        ...{ minimum: 1, maximum: 365, default: 7 },
        description: "days for which files stay that no page names any more",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["env", "folder"],
  locks: () => ["frontend"],
  timeoutMs: 45 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    programs: ["find"],
    aws: [
      {
        actions: ["s3:ListBucket", "s3:PutObject", "s3:DeleteObject"],
        resources: ["arn:aws:s3:::{system}-frontend-*", "arn:aws:s3:::{cluster}-frontend*"],
      },
      {
        actions: ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"],
        resources: ["arn:aws:cloudfront::{account}:distribution/*"],
      },
    ],
  },
  // Half of the new files beside all of the old ones hurts nobody; pages come after them.
  undoOnFailure: "asked",
  guide:
    "Build it first; a folder without index.html is refused. To go back, deploy the build before: its files are still there for the days that you keep them.",
  plan: async (context) => {
    const { params, aws } = context;
    const { environment, distributionId } = aws.place();
    if (params.env !== environment)
      throw fault.refused(
        "ENVIRONMENT_WRONG",
        `this is ${environment}, and you asked for ${params.env}`,
        { hint: `ask the control plane of ${params.env}` },
      );
    const bucket = bucketOf(context);
    return {
      text: `${params.folder} to ${bucket}`,
      changes: [
        `upload all files to ${bucket}, the pages last`,
        ...(distributionId === null ? [] : [`invalidate the pages in ${distributionId}`]),
        `delete files that no page has named for ${params.keepDays} days`,
      ],
      // A number of a run may come again after a restore; to CloudFront the same reference is the same request.
      facts: { reference: `${context.runId}-${context.now().toISOString()}` },
    };
  },
  steps: [
    {
      name: LIST,
      repeat: "safe",
      run: async (context) => {
        const files = await filesIn(context);
        if (!files.includes("index.html"))
          throw fault.refused("FRONTEND_NOT_BUILT", `${context.params.folder} has no index.html`, {
            hint: "build the frontend first",
          });
        const objects = await patiently(context, () =>
          context.aws.objects(bucketOf(context), "", OBJECTS_MAX),
        );
        const old = findOld(
          objects,
          files,
          context.now().getTime() - context.params.keepDays * DAY_MS,
        );
        return {
          text: `${files.length} files; of ${objects.length} in the bucket ${old.length} are long out of use`,
          value: { files: [...files], old: old.slice(0, PRUNED_MAX) },
        };
      },
      undo: { never: "it only looked" },
    },
    {
      name: "upload the files that pages name",
      repeat: "safe",
      run: async (context) =>
        upload(
          context,
          listed(context).files.filter((it) => !isPage(it)),
        ),
      undo: { never: "no page before names them" },
    },
    {
      name: "upload the pages",
      repeat: "safe",
      run: async (context) => upload(context, listed(context).files.filter(isPage)),
      undo: { never: "deploy the build before again" },
    },
    {
      name: "invalidate the pages",
      repeat: "safe",
      timeoutMs: INVALIDATED_WITHIN_MS,
      run: invalidate,
      undo: { never: "it only makes the CDN ask again" },
    },
    {
      name: "delete what is long out of use",
      repeat: "safe",
      run: async (context) => {
        const { old } = listed(context);
        if (old.length === 0) return "nothing is";
        const asked = { bucket: bucketOf(context), keys: old };
        return `${await patiently(context, () => context.aws.deleteObjects(asked))} files are deleted`;
      },
      undo: { never: "build and deploy that commit again" },
    },
  ],
  verify: {
    withinMs: () => MINUTE_MS,
    everyMs: 5_000,
    check: async (context) => {
      const objects = await context.aws.objects(bucketOf(context), "", OBJECTS_MAX);
      const keys = new Set(objects.map(({ key }) => key));
      const missing = listed(context).files.filter((file) => !keys.has(file));
      return missing.length === 0
        ? { state: "passed", text: `all ${listed(context).files.length} files are there` }
        : { state: "failed", text: `${missing.length} files are not there, such as ${missing[0]}` };
    },
  },
  next: ({ env, folder }) => `/algobrain deploy-frontend ${env} ${folder}`,
});

function bucketOf({ aws }: Pick<ReadContext<Params>, "aws">): string {
  const bucket = aws.place().bucketOf("frontend");
  if (bucket !== null) return bucket;
  throw fault.refused("NO_FRONTEND", `${aws.place().environment} has no bucket for the frontend`, {
    hint: "see infrastructure.frontend in policies/",
  });
}

function listed({ resultOf }: Pick<PlannedContext<Params>, "resultOf">): Listed {
  return resultOf(LIST) as unknown as Listed;
}

const isPage = (file: string) => file.endsWith(".html");

/** Throws a refused Fault for more files than a frontend has, and for names that make no address. */
async function filesIn({ shell, params }: ActContext<Params>): Promise<readonly string[]> {
  const argv = ["find", params.folder, "-type", "f", "-printf", "%P\\n"];
  const { exitCode, stdout, stderr, droppedBytes } = await shell.run(argv);
  if (exitCode !== 0)
    throw fault.refused("FRONTEND_UNREADABLE", `find ${params.folder}: ${stderr.trim()}`);
  const files = stdout.split("\n").filter((line) => line !== "");
  if (files.length > FILES_MAX || droppedBytes > 0)
    throw fault.refused("FRONTEND_TOO_LARGE", `found over ${FILES_MAX} files in ${params.folder}`);
  const strange = files.find((file) => !KEY.test(file));
  if (strange !== undefined)
    throw fault.refused(
      "FILE_NAME_STRANGE",
      `found "${strange}", expected letters, digits and ._@+-/`,
    );
  return files.sort();
}

/**
 * Keys that are in no deployment since `before`, in milliseconds. Every deployment puts all its files anew: what is
 * older than the next younger file by more than one deployment takes was replaced when that one came.
 */
function findOld(
  objects: readonly { readonly key: string; readonly at: Date }[],
  files: readonly string[],
  before: number,
): readonly string[] {
  const kept = new Set(files);
  const times = objects.map(({ at }) => at.getTime()).sort((a, b) => a - b);
  const replacedAt = (at: Date) => times.find((time) => time > at.getTime() + ONE_DEPLOYMENT_MS);
  return objects
    .filter(({ key, at }) => !kept.has(key) && (replacedAt(at) ?? before) < before)
    .map(({ key }) => key);
}

async function upload(context: ActContext<Params>, keys: readonly string[]): Promise<string> {
  const files = keys.map((key) => ({
    ...{ key, path: `${context.params.folder}/${key}`, type: typeOf(key) },
    cache: HASHED.test(key) && !isPage(key) ? FOREVER : ASK_AGAIN,
  }));
  const asked = { bucket: bucketOf(context), files };
  return `${await patiently(context, () => context.aws.putObjects(asked))} files are there`;
}

function typeOf(key: string): string {
  return TYPES[key.slice(key.lastIndexOf(".") + 1)] ?? "application/octet-stream";
}

/** What browsers ask for under the names of pages; hashed files never change. */
async function invalidate(context: ActContext<Params>): Promise<string> {
  const { aws, plan } = context;
  const { distributionId: distribution } = aws.place();
  if (distribution === null) return "there is no CDN in front";
  const unhashed = listed(context).files.filter((file) => isPage(file) || !HASHED.test(file));
  // Of more paths than this CloudFront takes the wildcard as cheaply.
  const paths = unhashed.length > 20 ? ["/*"] : ["/", ...unhashed.map((file) => `/${file}`)];
  const id = await patiently(context, () =>
    aws.invalidate({ distribution, paths, reference: String(plan.facts?.reference) }),
  );
  while ((await patiently(context, () => aws.invalidation(distribution, id))) !== "Completed")
    await context.wait(5_000);
  return `${paths.length} paths are asked for anew (${id})`;
}
