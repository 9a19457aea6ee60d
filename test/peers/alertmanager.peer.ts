/**
 * Who is told what of a group of alerts, beside a live Alertmanager: the same scenarios, one route each, all at once.
 * Messages must be the same, in the same order, and their times within an interval of each other; where we differ on
 * purpose, the scenario says why and what each says.
 */
import { describe, expect, test } from "vitest";
import { type Daemon, startAlertmanager } from "./alertmanager-daemon.js";
import { runOurs } from "./alertmanager-ours.js";
import { inOrder, type Post, readScenarios } from "./alertmanager-scenario.js";
import { findPeer } from "./debian.js";

const scenarios = await readScenarios();
const alertmanager = await findPeer("alertmanager");
const title = alertmanager.ok ? `beside ${alertmanager.version}` : alertmanager.reason;
/** A busy machine, and the daemon's own way to its receiver; seconds. */
const SLACK_S = 1;

const linesOf = (posts: readonly Post[]) => posts.map(({ line }) => line);

describe.skipIf(!alertmanager.ok)(title, async () => {
  const theirs = alertmanager.ok ? await hear(alertmanager.path) : new Map<string, Post[]>();

  test.each(scenarios.map((one) => [one.name, one] as const))("%s", (_name, scenario) => {
    const { key, expect: expected, route, differs, earlier = 0, within } = scenario;
    const [ours, peers] = [runOurs(scenario), inOrder(theirs.get(key) ?? [])];
    expect(linesOf(ours), "ours").toEqual(expected);
    expect(linesOf(peers), "Alertmanager's").toEqual(scenario.theirs ?? expected);
    if (earlier > 0) expect(peers.at(-1)!.at - ours.at(-1)!.at).toBeGreaterThan(earlier);
    if (within !== undefined) expect(Math.max(ours[0]!.at, peers[0]!.at)).toBeLessThan(within);
    if (differs !== undefined) return;
    for (const [i, { at }] of ours.entries())
      expect(Math.abs(peers[i]!.at - at)).toBeLessThan(route.interval + SLACK_S);
  });

  test("there are enough of them, and most of them agree", () => {
    const differing = scenarios.filter(({ differs }) => differs !== undefined);
    const posts = [...theirs.values()].flat().length;
    console.log(
      `${scenarios.length} scenarios, ${posts} messages of Alertmanager; ${differing.length} differ on purpose:\n` +
        differing.map(({ name, differs }) => `- ${name}: ${differs}`).join("\n"),
    );
    expect(scenarios.length - differing.length).toBeGreaterThanOrEqual(20);
  });
});

async function hear(program: string): Promise<ReadonlyMap<string, readonly Post[]>> {
  const daemon: Daemon = await startAlertmanager(program, scenarios);
  try {
    return await daemon.run(scenarios);
  } finally {
    await daemon.close();
  }
}
