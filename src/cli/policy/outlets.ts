/** `policy outlets`: the alert rules as files for Prometheus, Datadog and Grafana, and what these cannot say. */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { cloudWatchAlarm } from "../../alert/outlet/cloudwatch.js";
import { DATADOG_MONITORS, datadogMonitors } from "../../alert/outlet/datadog.js";
import { datadogDashboard } from "../../alert/outlet/datadog-dashboard.js";
import { grafanaDashboard } from "../../alert/outlet/grafana-dashboard.js";
import { eachLevel } from "../../alert/outlet/left-out.js";
import { leftOutMarkdown, type Outlet } from "../../alert/outlet/left-out-markdown.js";
import { prometheusRules } from "../../alert/outlet/prometheus.js";
import { formatProblem } from "../../base/problem.js";
import type { PolicySet } from "../../policy/policy.js";
import { loadDirectory, readPolicyDirectory } from "../../runtime/policy-source.js";
import { oneOf, parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { formatTable } from "../table.js";
import { environmentsIn } from "./environments.js";

const OPTIONS = {
  env: { type: "string", default: "production" },
  dir: { type: "string", default: "policies" },
  out: { type: "string", default: "outlets" },
  json: { type: "boolean" },
} as const;

export async function runOutlets(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const directory = await readPolicyDirectory(values.dir, io);
  const environment = oneOf("--env", values.env, environmentsIn(directory.files));
  const checked = loadDirectory(directory, environment);
  if (!checked.ok) {
    for (const problem of checked.problems) io.err(formatProblem(problem));
    return EXIT_FAILED;
  }
  const made = make(checked.value);
  const folder = resolve(io.cwd, values.out);
  await mkdir(folder, { recursive: true });
  for (const { name, text } of made.files) await writeFile(join(folder, name), text);
  if (values.json) io.out(JSON.stringify({ out: values.out, outlets: made.outlets.map(figures) }));
  else say(made, values.out, io);
  return EXIT_OK;
}

interface Made {
  readonly files: readonly { readonly name: string; readonly text: string }[];
  readonly outlets: readonly (Outlet & { readonly levels: number })[];
}

/** Only what monitoring.yaml has switched on. CloudWatch's alarms are no file: `synth` makes them. */
function make(policy: PolicySet): Made {
  const { prometheus, datadog, grafana, cloudwatch } = policy.monitoring.outlets;
  const files: { name: string; text: string }[] = [];
  const outlets: Outlet[] = [];
  if (prometheus.enabled) {
    const rules = prometheusRules(policy);
    files.push({ name: "prometheus-rules.yml", text: rules.text });
    outlets.push({ name: "Prometheus", ...rules });
  }
  if (datadog.enabled) {
    const monitors = datadogMonitors(policy);
    files.push({ name: DATADOG_MONITORS, text: monitors.text });
    files.push({ name: "datadog-dashboard.json", text: jsonText(datadogDashboard(policy)) });
    outlets.push({ name: "Datadog", ...monitors });
  }
  if (grafana.enabled)
    files.push({ name: "grafana-dashboard.json", text: jsonText(grafanaDashboard(policy)) });
  if (cloudwatch.enabled) outlets.push({ name: "CloudWatch", ...cloudWatchNotes(policy) });
  files.push({ name: "left-out.md", text: leftOutMarkdown(outlets) });
  const levels = policy.alerts.reduce((sum, rule) => sum + rule.levels.length, 0);
  return { files, outlets: outlets.map((outlet) => ({ ...outlet, levels })) };
}

function cloudWatchNotes({ infrastructure, metrics, ...policy }: PolicySet) {
  const context = { namespace: infrastructure.namespace, metrics };
  const leftOut = eachLevel({ infrastructure, metrics, ...policy }, (rule, level) => {
    const form = cloudWatchAlarm(rule, level, context);
    return form.ok ? [] : [{ rule: rule.name, level: level.id, reason: form.reason }];
  }).flat();
  return { leftOut, loose: [] };
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

type Figures = ReturnType<typeof figures>;

function figures({ name, levels, leftOut, loose }: Made["outlets"][number]) {
  const otherwise = new Set(loose.map(({ level }) => level)).size;
  return { name, levels: levels - leftOut.length, otherwise, leftOut: leftOut.length };
}

function say({ files, outlets }: Made, out: string, io: CommandIo): void {
  const rows = outlets.map(figures).map((one: Figures) => {
    return [one.name, String(one.levels), String(one.otherwise), String(one.leftOut)];
  });
  const titles = ["for", "levels", "of them otherwise than here", "left out"];
  for (const line of formatTable(titles, rows)) io.out(line);
  for (const { name } of files) io.out(`written: ${join(out, name)}`);
}
