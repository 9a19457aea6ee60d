/** Log groups and how long they keep their lines, against the policy (RB-68, HB-op-11, HB-cli-17, HB-cli-18, HB-aws-18). */
import { defineRunbook, type ReadContext, Type } from "../src/runbook/define.js";

type Params = Record<string, never>;

interface GroupLook {
  readonly name: string;
  readonly expected: string;
  readonly found: string;
  readonly isWell: boolean;
}

export default defineRunbook({
  name: "verify-log-groups",
  aliases: ["log-groups"],
  title: "Compares the log groups and their retention with the policy, and changes nothing",
  danger: "R",
  params: Type.Object({}, { additionalProperties: false }),
  timeoutMs: 60_000,
  touches: {
    database: ["jobs:read"],
    aws: [{ actions: ["logs:DescribeLogGroups"], resources: ["*"] }],
  },
  guide:
    "Retention is infrastructure: it is changed in policies/ (retention) and applied, never by hand. A group that nobody expects is named, and left alone.",
  plan: async ({ aws }) => {
    const { services, logGroupDays } = aws.place();
    const count = Object.keys(services).length;
    return { text: `${count} services, each group keeps ${logGroupDays} days`, changes: [] };
  },
  steps: [
    {
      name: "look",
      repeat: "safe",
      run: async (context) => {
        const looks = await lookAtGroups(context);
        return {
          text: summaryOf(looks),
          table: {
            columns: ["group", "expected", "found", "is"],
            rows: looks.map(({ name, expected, found, isWell }) => [
              ...[name, expected, found],
              isWell ? "as it should be" : "not as it should be",
            ]),
          },
        };
      },
    },
  ],
  verify: {
    withinMs: () => 0,
    everyMs: 1_000,
    check: async (context) => {
      const looks = await lookAtGroups(context);
      const isWell = looks.every((look) => look.isWell);
      return { state: isWell ? "passed" : "failed", text: summaryOf(looks) };
    },
  },
  next: () => "/algobrain help",
});

/** Those of our services, and others that are named like them. */
async function lookAtGroups({ aws }: Pick<ReadContext<Params>, "aws">): Promise<GroupLook[]> {
  const { services, logGroupDays } = aws.place();
  const wanted = Object.values(services).map(({ logGroup }) => logGroup);
  const found = new Map(
    (await aws.logGroups(commonPrefix(wanted))).map(({ name, days }) => [name, days]),
  );
  const ours = wanted.map((name) => lookAt(name, found, logGroupDays));
  const strangers = [...found.keys()].filter((name) => !wanted.includes(name));
  return [
    ...ours,
    ...strangers.map((name) => ({
      ...{ name, expected: "none of ours", found: daysWords(found.get(name) ?? null) },
      isWell: true,
    })),
  ];
}

function lookAt(name: string, found: ReadonlyMap<string, number | null>, days: number): GroupLook {
  const kept = found.get(name);
  const expected = daysWords(days);
  if (kept === undefined) return { name, expected, found: "there is no such group", isWell: false };
  return { name, expected, found: daysWords(kept), isWell: kept === days };
}

function daysWords(days: number | null): string {
  return days === null ? "for ever" : `${days} days`;
}

/** `/ecs/algobrain-` of all of them. */
function commonPrefix(names: readonly string[]): string {
  const [first = "", ...others] = names;
  let length = first.length;
  for (const name of others) while (!name.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}

function summaryOf(looks: readonly GroupLook[]): string {
  const bad = looks.filter(({ isWell }) => !isWell);
  if (bad.length === 0) return `${looks.length} log groups are as the policy says`;
  const named = bad.map(
    ({ name, found, expected }) => `${name}: found ${found}, expected ${expected}`,
  );
  return `${bad.length} of ${looks.length} log groups are not as the policy says: ${named.join("; ")}. Apply the services stack`;
}
