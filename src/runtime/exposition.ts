/** The newest samples of all processes in the words of a scraper (EP-24), under the names that outlet/prometheus-name gives. */
import { boundOf } from "../alert/histogram.js";
import { prometheusName } from "../alert/outlet/prometheus-name.js";
import type { Metric } from "../policy/policy.js";
import type { Round } from "../store/sample-rounds.js";

type Labels = Readonly<Record<string, string>>;

interface Line {
  readonly labels: Labels;
  readonly value: number;
}

/**
 * Prometheus text format 0.0.4. A metric that the catalogue does not know is left out. Of one series in several rounds
 * the newest counts. A histogram has no `_sum`: nobody keeps it.
 */
export function renderRounds(
  rounds: readonly Round[],
  catalogue: Readonly<Record<string, Metric>>,
): string {
  const families = [...newestOf(rounds)].flatMap(([metric, lines]) => {
    const known = catalogue[metric];
    return known ? renderFamily(known, [...lines.values()]) : [];
  });
  return families.map((line) => `${line}\n`).join("");
}

/** Metric → series → its newest value; metrics in order of their names. */
function newestOf(rounds: readonly Round[]): [string, ReadonlyMap<string, Line>][] {
  const found = new Map<string, Map<string, Line>>();
  const oldestFirst = [...rounds].sort((a, b) => a.slot.getTime() - b.slot.getTime());
  for (const { metric, labels, value } of oldestFirst.flatMap(({ samples }) => samples)) {
    const lines = found.get(metric) ?? new Map<string, Line>();
    found.set(metric, lines.set(renderLabels(labels), { labels, value }));
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

function renderFamily(metric: Metric, lines: readonly Line[]): string[] {
  const { name, factor } = prometheusName(metric);
  const rows =
    metric.kind === "histogram"
      ? byBound(lines).flatMap((line) => renderBucket(name, line, factor))
      : lines.map(({ labels, value }) => `${name}${renderLabels(labels)} ${scaled(value, factor)}`);
  return [`# HELP ${name} ${escapeHelp(metric.help)}`, `# TYPE ${name} ${metric.kind}`, ...rows];
}

/** Series by series, least bound first: some readers take the order for granted. */
function byBound(lines: readonly Line[]): Line[] {
  const place = ({ labels: { le: _, ...others } }: Line) => renderLabels(others);
  return [...lines].sort((a, b) => {
    const [one, other] = [place(a), place(b)];
    return one === other ? boundOf(a.labels) - boundOf(b.labels) : one < other ? -1 : 1;
  });
}

function renderBucket(name: string, { labels, value }: Line, factor: number): string[] {
  const { le: _, ...others } = labels;
  const bound = boundOf(labels);
  if (Number.isFinite(bound)) {
    const le = String(scaled(bound, factor));
    return [`${name}_bucket${renderLabels({ ...others, le })} ${value}`];
  }
  const all = renderLabels({ ...others, le: "+Inf" });
  return [`${name}_bucket${all} ${value}`, `${name}_count${renderLabels(others)} ${value}`];
}

/** Without what a thousandth leaves behind the fifteenth digit: 0.25 and not 0.25000000000000006. */
function scaled(value: number, factor: number): number {
  return factor === 1 ? value : Number((value * factor).toPrecision(15));
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Backslash, quote and line break (prometheus.io/docs/instrumenting/exposition_formats). */
function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
