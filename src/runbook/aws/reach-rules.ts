/** Who may reach the database and the cache by their security groups: the tasks, at one port, and nobody else (HB-aws-21). */
import type { SecurityGroupView } from "../aws-port.js";

export interface ReachLook {
  readonly what: string;
  readonly found: string;
  readonly isWell: boolean;
}

type Groups = Readonly<Record<"task" | "database" | "cache", readonly SecurityGroupView[]>>;
type Rule = SecurityGroupView["ingress"][number];

const PORTS = { database: 5_432, cache: 6_379 } as const;

export function lookAtRules(groups: Groups): readonly ReachLook[] {
  const tasks = groups.task.map(({ id }) => id);
  return (["database", "cache"] as const).map((what) => judge(what, groups[what], tasks));
}

function judge(
  what: keyof typeof PORTS,
  groups: readonly SecurityGroupView[],
  tasks: readonly string[],
): ReachLook {
  const port = PORTS[what];
  const rules = groups.flatMap(({ ingress }) => ingress);
  const strange = rules.filter((rule) => !isExpected(rule, port, tasks)).map(describe);
  const isOpen = rules.some((rule) => covers(rule, port) && fromTasks(rule, tasks));
  const found = [
    ...(groups.length === 0 ? ["no security group is attached"] : []),
    ...(isOpen ? [] : [`tasks (${tasks.join(", ") || "no group"}) may not reach port ${port}`]),
    ...strange.map((rule) => `it also lets in ${rule}`),
  ];
  if (found.length === 0) return { what, found: `only tasks reach port ${port}`, isWell: true };
  return { what, found: found.join("; "), isWell: false };
}

/** `-1` is every protocol, and every port with it. */
function covers({ protocol, from, to }: Rule, port: number): boolean {
  return protocol === "-1" || (protocol === "tcp" && from <= port && port <= to);
}

function fromTasks({ groups }: Rule, tasks: readonly string[]): boolean {
  return groups.some((group) => tasks.includes(group));
}

function isExpected(rule: Rule, port: number, tasks: readonly string[]): boolean {
  const { protocol, from, to, groups, cidrs } = rule;
  const isPort = protocol === "tcp" && from === port && to === port;
  return isPort && cidrs.length === 0 && groups.every((group) => tasks.includes(group));
}

function describe({ protocol, from, to, groups, cidrs }: Rule): string {
  const who = [...groups, ...cidrs].join(", ") || "nobody";
  const ports =
    protocol === "-1" ? "every port" : from === to ? `port ${from}` : `ports ${from}–${to}`;
  return `${who} at ${ports}`;
}
