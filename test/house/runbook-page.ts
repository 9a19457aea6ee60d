/** The page of a runbook, written from its definition: what a sleepy person wants to know before they type its name. */
import { formatDuration } from "../../src/base/duration.js";
import type { Danger } from "../../src/policy/policy.js";
import type { Runbook, Step } from "../../src/runbook/define.js";
import type { AwsPermission } from "../../src/runbook/power.js";
import { positionalWords, promptsOf } from "../../src/runbook/prompts.js";

/** In what the catalogue says besides. */
export interface CatalogueEntry {
  readonly id: string;
  readonly danger: Danger;
  readonly status: "built" | "planned";
}

const DANGERS: Readonly<Record<Danger, string>> = {
  R: "R: it only reads",
  V: "V: what it changes can be changed back",
  D: "D: what it does cannot be changed back",
};
const WRITTEN =
  "Written from the definition: `npx vitest run test/house/runbooks -u`. How to ask, approve, cancel and take back: [operating.md](../operating.md).";

/** What it may ask of AWS, each once. */
function awsActions(permissions: readonly AwsPermission[]): string {
  const actions = new Set(permissions.flatMap((permission) => permission.actions));
  return [...actions].sort().map(code).join(", ");
}

export function renderPage(runbook: Runbook, { id }: CatalogueEntry): string {
  const { name, title, danger, aliases, guide, touches, timeoutMs, whenLocked } = runbook;
  const programs = touches.programs ?? [];
  return lines(
    `# ${name} (${id})`,
    "",
    `${title}.${guide === undefined ? "" : ` ${guide}`}`,
    "",
    "```text",
    `/algobrain ${callOf(runbook)}`,
    `algobrain runbook run ${callOf(runbook)} --dry-run`,
    "```",
    "",
    ...table(
      ["", ""],
      [
        ["danger", DANGERS[danger]],
        ["short", aliases.map(code).join(", ") || "–"],
        ["may touch", touches.database.map(code).join(", ") || "nothing of the database"],
        ...(programs.length > 0 ? [["programs", programs.map(code).join(", ")]] : []),
        ...(touches.aws ? [["in AWS", awsActions(touches.aws)]] : []),
        ["takes at most", formatDuration(timeoutMs)],
        [
          "when another run holds what it needs",
          whenLocked === "wait" ? "it waits" : "it says so and ends",
        ],
        ...(danger === "R" ? [] : [["when it does not work out", whenFailed(runbook)]]),
      ],
    ),
    "",
    "## Parameters",
    "",
    ...parameters(runbook),
    "",
    "## Steps",
    "",
    ...table(
      danger === "R" ? ["step"] : ["step", "after a crash", "taken back"],
      runbook.steps.map((step) =>
        danger === "R" ? [step.name] : [step.name, afterCrash(step), takenBack(step)],
      ),
    ),
    "",
    runbook.verify
      ? "Then it looks whether that helped: the run succeeds only when it did."
      : "It has succeeded when its steps have.",
    "",
    WRITTEN,
    "",
  );
}

export function renderIndex(entries: readonly (readonly [Runbook, CatalogueEntry])[]): string {
  const rows = entries.map(([{ name, title, danger }, { id }]) => [
    `[${name}](${name}.md)`,
    id,
    danger,
    title,
  ]);
  return lines(
    "# Runbooks",
    "",
    "R only reads, V can be changed back, D cannot. What is planned stands in `runbooks/catalogue.yaml`.",
    "",
    ...table(["runbook", "id", "danger", "does"], rows),
    "",
    WRITTEN,
    "",
  );
}

function callOf(runbook: Runbook): string {
  return [runbook.name, ...positionalWords(runbook)].join(" ");
}

function parameters(runbook: Runbook): string[] {
  const rows = promptsOf(runbook).map(({ name, isNeeded, preset, description }) => {
    const may = preset === null ? "may be left out" : code(JSON.stringify(preset));
    return [code(name), isNeeded ? "needed" : may, description];
  });
  return rows.length === 0 ? ["None."] : table(["parameter", "default", "means"], rows);
}

function whenFailed({ undoOnFailure }: Runbook): string {
  return undoOnFailure === "always"
    ? "it takes back what it did"
    : "what it did stays until a person takes it back";
}

function afterCrash({ repeat }: Step<"V", never>): string {
  if (repeat === "safe") return "done again";
  return repeat === "never" ? "stops and asks" : "looks first whether it took effect";
}

function takenBack({ undo }: Step<"V", never>): string {
  if (undo === undefined) return "–";
  return "never" in undo ? `not: ${undo.never}` : undo.name;
}

const code = (text: string) => `\`${text}\``;

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [row(columns), `|${columns.map(() => "---|").join("")}`, ...rows.map(row)];
}

function lines(...all: readonly string[]): string {
  return all.join("\n");
}
