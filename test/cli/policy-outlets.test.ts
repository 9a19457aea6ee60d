/** `policy outlets`: the files, only of what is switched on, and the list of what they cannot say. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOutlets } from "../../src/cli/policy/outlets.js";
import { ROOT } from "./support.js";

let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "algobrain-outlets-"));
});
afterAll(() => rm(work, { recursive: true, force: true }));

async function outlets(...args: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await runOutlets(args, {
    ...{ out: (line) => out.push(line), err: (line) => err.push(line), progress: () => {} },
    ...{ env: {}, packageRoot: ROOT, cwd: work, actor: "cli:test", terminal: null },
  });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

test("writes a file each, and says how many levels each of them watches", async () => {
  const { code, out } = await outlets("--dir", join(ROOT, "policies"));
  expect(code).toBe(0);
  expect((await readdir(join(work, "outlets"))).sort()).toEqual([
    ...["datadog-dashboard.json", "datadog-monitors.yaml", "grafana-dashboard.json"],
    ...["left-out.md", "prometheus-rules.yml"],
  ]);
  for (const name of ["Prometheus", "Datadog", "CloudWatch"])
    expect(out).toMatch(new RegExp(`^${name} +\\d+ +\\d+ +\\d+$`, "m"));
  const notes = await readFile(join(work, "outlets", "left-out.md"), "utf8");
  expect(notes).toContain("waits for algobrain.deployment.rolled_back");
  const dashboard = await readFile(join(work, "outlets", "datadog-dashboard.json"), "utf8");
  expect(JSON.parse(dashboard)).toMatchObject({ title: "Brain-Doctor Hospital V4 - Overview" });
});

test("what is switched off is not written (X-70)", async () => {
  const policies = join(work, "policies");
  await cp(join(ROOT, "policies"), policies, { recursive: true });
  const file = join(policies, "algobrain", "monitoring.yaml");
  const text = await readFile(file, "utf8");
  const off = text
    .replace("prometheus: { enabled: true }", "prometheus: { enabled: false }")
    .replace("grafana: { enabled: true }", "grafana: { enabled: false }");
  expect(off).not.toBe(text);
  await writeFile(file, off);
  const { code, out } = await outlets("--dir", "policies", "--out", "fewer");
  expect([code, await readdir(join(work, "fewer"))]).toEqual([
    0,
    ["datadog-dashboard.json", "datadog-monitors.yaml", "left-out.md"],
  ]);
  expect(out).not.toContain("Prometheus");
});

test("broken policies are told at their place, and nothing is written", async () => {
  const policies = join(work, "broken");
  await cp(join(ROOT, "policies"), policies, { recursive: true });
  await writeFile(join(policies, "algobrain", "monitoring.yaml"), "outlets: { prometheus: 3 }\n");
  const { code, err } = await outlets("--dir", "broken", "--out", "none");
  expect(code).toBe(1);
  expect(err).toContain("broken/algobrain/monitoring.yaml:1:");
  await expect(readdir(join(work, "none"))).rejects.toThrow("ENOENT");
});
