/** The report that `policy impact --format json` wrote, for the comment that `policy diff` writes. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fault } from "../../base/fault.js";
import { isJsonObject } from "../../base/json.js";
import { type ImpactReport, VERDICTS } from "../../review/impact.js";
import type { CommandIo } from "../command.js";

/** Null: none was asked for. Throws a refused Fault for a file that is missing, or that holds something else. */
export async function readImpact(
  path: string | undefined,
  io: Pick<CommandIo, "cwd">,
): Promise<ImpactReport | null> {
  if (path === undefined) return null;
  const report = parse(await read(resolve(io.cwd, path), path));
  if (report !== null) return report;
  throw unreadable(`${path} holds no report of a backtest`);
}

async function read(path: string, shown: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw unreadable(`cannot read ${shown}`, cause);
  }
}

function unreadable(message: string, cause?: unknown) {
  const hint = "algobrain policy impact BASE --format json --out FILE makes one";
  return fault.refused("IMPACT_UNREADABLE", message, { hint, cause });
}

function parse(text: string): ImpactReport | null {
  try {
    const found: unknown = JSON.parse(text);
    return isReport(found) ? found : null;
  } catch {
    // Not JSON: said of it as of any other wrong file.
    return null;
  }
}

/** As far as another program's file would be mistaken for one: ours are written by the same version. */
function isReport(found: unknown): found is ImpactReport {
  if (!isJsonObject(found)) return false;
  const { environment, history, from, to, unknown, rules, verdict } = found;
  const texts = [environment, history, from, to];
  const isKnown = unknown === null || typeof unknown === "string";
  const areRules =
    Array.isArray(rules) && rules.every((rule) => isJsonObject(rule) && isVerdict(rule.verdict));
  return texts.every((one) => typeof one === "string") && isKnown && areRules && isVerdict(verdict);
}

function isVerdict(found: unknown): boolean {
  return VERDICTS.some((verdict) => verdict === found);
}
