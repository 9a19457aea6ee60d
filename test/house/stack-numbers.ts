/**
 * Every number of the estate comes from policies/: those that stand in stacks/ all the same, each with its reason. A
 * number that is not here is a knob that nobody can turn in a pull request.
 */
import { type HouseFinding, lineAt, type SourceFile } from "./source-tree.js";

const STACKS = /^stacks\/.+\.ts$/;

/** What the stacks lay out as it is given to them. */
export const SOURCES: readonly string[] = [
  "src/policy/rolling.ts",
  ...["alarm-names", "cloudwatch", "cloudwatch-dashboard", "log-queries"].map(
    (name) => `src/alert/outlet/${name}.ts`,
  ),
];

/** They judge what was synthesized by what AWS takes, and put nothing into it. */
export const JUDGES: readonly string[] = [
  ...["check-foreign", "cross-stack", "references", "refusals", "schema-check", "synth"],
  ...[
    "container-limits",
    "data-limits",
    "delivery-limits",
    "limits",
    "name-limits",
    "query-limits",
    "size-limits",
  ],
].map((name) => `stacks/${name}.ts`);

const ROLLING = "src/policy/rolling";
const ALARM = "src/alert/outlet/cloudwatch";
const BOARD = "src/alert/outlet/cloudwatch-dashboard";
const QUERIES = "src/alert/outlet/log-queries";

export interface Allowance {
  /** Without ending; outside of stacks/ with its folder. */
  readonly file: string;
  /** As it stands in the code: a literal of it elsewhere is none of it. */
  readonly code: string;
  readonly why: string;
}

export const ALLOWANCES: readonly Allowance[] = [
  ...of("is a port: both sides know it by heart", [
    ["balancer", "HTTPS_PORT = 443"],
    ["balancer", "HTTP_PORT = 80"],
    ["container", "API_PORT = 3001"],
    ["container", "REDIS_PORT = 6379"],
    ["database", "PORT = 5432"],
    ["database-task", "PORT = 5432"],
    ["security-group", "HTTPS = 443"],
    ["security-group", "HTTP = 80"],
    ["security-group", "POSTGRES = 5432"],
    ["security-group", "REDIS = 6379"],
  ]),
  ...of("is a word of a protocol, or a switch that is on or off", [
    ["balancer", 'matcher: "200"'],
    ["database", 'value: "1"'],
  ]),
  ...of("is the user of the image, to whom its folders belong", [
    ["container", 'USER_ID = "10001"'],
  ]),
  ...of("is the arithmetic of addresses: four bytes of eight bits", [
    ["cidr", "ADDRESS_BITS = 32"],
    ["cidr", "octets.length === 4"],
    ["cidr", "octet >= 0 && octet <= 255"],
    ["cidr", "index >= 0 && index < 2 **"],
    ["cidr", "2 ** newBits}"],
    ["cidr", "sum * 256 + octet, 0)"],
    ["cidr", "start % 2 ** (ADDRESS_BITS - Number(prefix)) === 0"],
    ["cidr", "index * 2 **"],
    ["cidr", "[24, 16, 8, 0]"],
    ["cidr", "address / 2 ** shift) % 256"],
  ]),
  ...of(
    "is the plan of a network: another one makes every subnet anew, and all that stands in it",
    [
      ["subnet", "SUBNET_BITS = 4"],
      ["subnet", "FIRST_PRIVATE = 8"],
      ["subnet", "{ none: 0, one: 1,"],
    ],
  ),
  ...of("is the unit of another number", [
    ["distribution", "DAY_S = 86_400"],
    ["dead-man", "PERIOD_S * 1000"],
  ]),
  ...of(
    "is the beat of the runtime, which says 1 each minute: the policy counts in whole minutes",
    [
      ["dead-man", "PERIOD_S = 60"],
      ["dead-man", "Math.max(1,"],
      ["dead-man", "threshold: 1"],
    ],
  ),
  ...of("stands for the account that `local` does not have", [["names", '"000000000000"']]),
  ...of("is the order of two rules, of which neither is more", [
    ["registry-stack", "rulePriority: 1"],
    ["registry-stack", "rulePriority: 2"],
  ]),
  ...of("lets a file say that it is not kept at all", [["distribution", "minTtl: 0"]]),
  ...of("is a place in a list or a text, or the first of a row", [
    ["alarm", "index + 1"],
    ["data-stack", ".get(0)"],
    ["database", "number = 1"],
    ["database-task", ".slice(2, -1)"],
    ["names", "length + 1"],
    ["subnet", ".slice(0, policy"],
    ["subnet", ".slice(0, counts"],
  ]),
  ...of("is said of what is made, and makes nothing", [
    ["checkov-skips", "30"],
    ["checkov-skips", "80"],
    ["checkov-skips", "443"],
    ["image-tag", "40 hexadecimal digits"],
    ["security-group", "443"],
  ]),
  ...of("is the version from which Terraform can do it", [["foundation", '">= 1.10"']]),
  ...of(
    "is the way a service rolls (HB-aws-03, X-08); how many workers there may be is the policy's",
    [
      [ROLLING, "minimumPercent: 100, maximumPercent: 200"],
      [ROLLING, "minimumPercent: 0, maximumPercent: 100"],
      [ROLLING, "min > 1 ? 50 : 0"],
    ],
  ),
  ...of("is the whole in percent", [
    [ROLLING, "(workersPercent - 100) >= 100"],
    [ROLLING, "maximumPercent) / 100"],
  ]),
  ...of("is a unit of time, or the minute in which the runtime publishes", [
    [ALARM, "RESOLUTION_S = 60"],
    [ALARM, "HOUR_S = 3_600"],
    [ALARM, "DAY_S = 86_400"],
    [ALARM, " * 1000"],
    [ALARM, " / 1000"],
    [BOARD, "PERIOD_S = 60"],
  ]),
  ...of("is as far back as CloudWatch lets an alarm look", [[ALARM, "7 * DAY_S"]]),
  ...of("is a place in a text, none, or one at least", [
    [ALARM, "charAt(0)"],
    [ALARM, "slice(1)"],
    [ALARM, "!== 0"],
    [ALARM, "signal.overMs : 0"],
    [ALARM, "Math.max(1,"],
    [ALARM, "threshold: 1"],
    [ALARM, "1 + Math.ceil"],
    [ALARM, ", m2, 0)"],
  ]),
  ...of("is the look of a page, and changes nothing that runs", [
    [BOARD, "width: 8, height: 6"],
    [BOARD, "24 / WIDGET.width"],
  ]),
  ...of("is a word of HTTP", [[QUERIES, "status >= 500"]]),
  ...of("asks whether there is one at all, or another beside the first", [
    ["cache", "redis.nodes > 1"],
    ["data-stack", "aurora.readers > 0"],
  ]),
];

function of(why: string, rows: readonly (readonly [string, string])[]): Allowance[] {
  return rows.map(([file, code]) => ({ file, code, why }));
}

/** Indices, emptiness, and what a comparison of two names answers: they say nothing of the estate. */
const SHAPES = /(?<=[\w)\]!.])\[\d\]|\.length\s*[=!<>]==?\s*0|\.length\s*>\s*0|\?\s*-1\s*:\s*1\b/g;
const NUMBER = /(?<![\w.$])(?:0[xob][\da-f_]+|\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)n?\b/gi;
/** A text, or a piece of a template, of which only the ends are left. */
const TEXT = /["'`}]([ \n]+)(?=["'`]|\$\{)/g;
/** The provider wants some numbers as texts, and queries and schedules are texts: a number there is a word by itself or a duration. */
const NUMBER_WORD =
  /(?<![\w.:/^[{-])(?:\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?(?:ms|[smhdw])?)(?![\w:/\]}-]|\.\w)/gi;

interface Literal {
  readonly from: number;
  readonly to: number;
}

export function findLooseNumbers(file: SourceFile): HouseFinding[] {
  const isLaidOut = STACKS.test(file.path) || SOURCES.includes(file.path);
  if (!isLaidOut || JUDGES.includes(file.path)) return [];
  const spared = allowedSpans(file);
  return literalsOf(file)
    .filter(({ from, to }) => !spared.some((span) => span.from <= from && to <= span.to))
    .map(({ from, to }) => ({
      path: file.path,
      line: lineAt(file.text, from),
      rule: `${file.text.slice(from, to)} is a number that no policy says`,
      instead:
        "take it from the policy (infrastructure, scaling, retention, alerts); a port, a limit of AWS or a unit goes, with its reason, into test/house/stack-numbers.ts",
    }));
}

/** Rows of the table that allow nothing any more. */
export function staleAllowances(files: readonly SourceFile[]): Allowance[] {
  return ALLOWANCES.filter(
    ({ file, code }) => !files.some(({ path, text }) => isIn(path, file) && text.includes(code)),
  );
}

function literalsOf({ text, code }: SourceFile): Literal[] {
  const plain = [...code.matchAll(NUMBER)].map(({ index, 0: found }) => ({
    ...{ from: index, to: index + found.length },
  }));
  return [...plain, ...[...code.matchAll(TEXT)].flatMap((match) => inText(text, match))];
}

function inText(text: string, { index, 0: found }: RegExpExecArray): Literal[] {
  const start = index + 1;
  const words = text.slice(start, index + found.length).matchAll(NUMBER_WORD);
  return [...words].map((word) => ({
    ...{ from: start + word.index, to: start + word.index + word[0].length },
  }));
}

function allowedSpans({ path, text, code }: SourceFile): Literal[] {
  const shapes = [...code.matchAll(SHAPES)].map(({ index, 0: found }) => ({
    ...{ from: index, to: index + found.length },
  }));
  const rows = ALLOWANCES.filter(({ file }) => isIn(path, file));
  return [...shapes, ...rows.flatMap((row) => placesIn(text, row.code))];
}

function isIn(path: string, file: string): boolean {
  return path === (file.includes("/") ? `${file}.ts` : `stacks/${file}.ts`);
}

function placesIn(text: string, part: string): Literal[] {
  const spans: Literal[] = [];
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1))
    spans.push({ from: at, to: at + part.length });
  return spans;
}
