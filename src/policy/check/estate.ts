/** What infrastructure.yaml says of network, data and delivery fits together, and AWS would take it. */
import type { Problem } from "../../base/problem.js";
import { CACHE_NODE_TYPES, connectionsAt, MOST_WHEN_HALVED } from "../aws-limits.js";
import { infrastructureDefaults } from "../infrastructure-defaults.js";
import { descend, type Node, numberOf, type PolicyTree, problemAt, textOf } from "../tree.js";
import { checkHosts } from "./hosts.js";
import { checkRunning } from "./running.js";
import { show } from "./shape.js";

const DEFAULTS = infrastructureDefaults("", "");

export function checkEstate(tree: PolicyTree): Problem[] {
  const estate = tree.get("infrastructure");
  if (!estate) return [];
  return [
    ...checkCapacity(descend(estate, "aurora")),
    ...checkConnectionsOf(estate),
    ...checkCache(descend(estate, "redis", "nodeType")),
    ...checkNetwork(descend(estate, "network", "cidr")),
    ...checkHosts(estate),
    ...checkSubject(descend(estate, "identity")),
    ...checkBuckets(estate),
    ...checkRunning(estate),
  ];
}

/** Aurora counts in halves, and least is not more than most. */
function checkCapacity(aurora: Node | undefined): Problem[] {
  const [min, max] = [descend(aurora, "min"), descend(aurora, "max")];
  const problems = [min, max].flatMap((node) => {
    const units = numberOf(node);
    return node && units !== undefined && !Number.isInteger(units * 2)
      ? [problemAt(node.place, `found ${units}, expected steps of 0.5 capacity units`)]
      : [];
  });
  const least = numberOf(min) ?? DEFAULTS.aurora.minCapacity;
  const most = numberOf(max) ?? DEFAULTS.aurora.maxCapacity;
  const node = min ?? max;
  if (node && least > most)
    problems.push(problemAt(node.place, `found min ${least} and max ${most}, expected min ≤ max`));
  return problems;
}

/** The server refuses what exceeds its memory, whatever the pools have been promised. */
function checkConnectionsOf(estate: Node): Problem[] {
  const node = descend(estate, "database", "connectionsMax");
  const wanted = numberOf(node);
  const most = numberOf(descend(estate, "aurora", "max"));
  const least = numberOf(descend(estate, "aurora", "min"));
  if (!node || wanted === undefined) return [];
  if (least !== undefined && least < 1 && wanted > MOST_WHEN_HALVED)
    return [
      problemAt(
        node.place,
        `found ${wanted}, expected at most ${MOST_WHEN_HALVED}: Aurora gives no more while aurora.min is below 1`,
        "write aurora.min: 1",
      ),
    ];
  if (most === undefined || wanted <= connectionsAt(most)) return [];
  return [
    problemAt(
      node.place,
      `found ${wanted}, expected at most ${connectionsAt(most)}, which a server of ${most} capacity units takes`,
      "a larger aurora.max, or fewer connections",
    ),
  ];
}

function checkCache(node: Node | undefined): Problem[] {
  const type = textOf(node);
  if (!node || type === undefined || CACHE_NODE_TYPES.includes(type)) return [];
  const words = `found ${show(node)}, expected at most cache.r6g.large (HB-aws-12)`;
  return [problemAt(node.place, words, `one of ${CACHE_NODE_TYPES.join(", ")}`)];
}

/** Private addresses (RFC 1918), and the first one of its network. */
function checkNetwork(node: Node | undefined): Problem[] {
  const text = textOf(node);
  const match = text === undefined ? null : /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text);
  if (!node || !match) return [];
  const [a, b, c, d, size] = match.slice(1).map(Number) as [number, number, number, number, number];
  if ([a, b, c, d].some((part) => part > 255))
    return [problemAt(node.place, `found ${show(node)}, expected four numbers of at most 255`)];
  const isPrivate = a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168);
  if (!isPrivate)
    return [
      problemAt(
        node.place,
        `found ${show(node)}, which are addresses of the internet`,
        "a private network: in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
      ),
    ];
  const first = c - (c % 2 ** (24 - size));
  if (first === c && d === 0) return [];
  const words = `found ${show(node)}, which is an address inside its network`;
  return [problemAt(node.place, words, `write ${a}.${b}.${first}.0/${size}`)];
}

/** GitHub's immutable subject names the owner and the repository by number, never one of them. */
function checkSubject(identity: Node | undefined): Problem[] {
  const [owner, repo] = [descend(identity, "ownerId"), descend(identity, "repoId")];
  const node = owner ?? repo;
  if (!node || (owner && repo)) return [];
  const missing = owner ? "repoId" : "ownerId";
  return [
    problemAt(
      node.place,
      `found ${show(node)} without ${missing}: both or neither`,
      "gh api repos/OWNER/NAME --jq '.owner.id, .id'",
    ),
  ];
}

/** What expires in one must not be what is served from another. */
function checkBuckets(estate: Node): Problem[] {
  const nodes = [["exportsBucket"], ["bundleBucket"], ["frontend", "bucket"]].flatMap((keys) => {
    const node = descend(estate, ...keys);
    return node === undefined ? [] : [{ name: keys.join("."), node, text: textOf(node) }];
  });
  return nodes.flatMap(({ node, text }, at) => {
    const first = nodes.slice(0, at).find((other) => text !== undefined && other.text === text);
    if (!first) return [];
    return [problemAt(node.place, `found ${show(node)}, which is ${first.name}, too`)];
  });
}
